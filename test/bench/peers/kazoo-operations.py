# What kazoo does of the operations that coordination.ts measures: one line of JSON per figure, operations a second.
#
#   python3 kazoo-operations.py HOST:PORT ROUNDS WINDOW
import json
import sys
import time
from collections import deque

from kazoo.client import KazooClient

address, rounds, window = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = b"x" * 100
client = KazooClient(hosts=address, timeout=30)
client.start(timeout=30)
root = client.create("/kazoo-", sequence=True)
client.create(root + "/node", data)


def measure(case, one, operations, in_flight):
    waiting = deque()
    started = time.perf_counter()
    for number in range(operations):
        waiting.append(one(number))
        if len(waiting) >= in_flight:
            waiting.popleft().get()
    while waiting:
        waiting.popleft().get()
    print(json.dumps({"case": case, "value": operations / (time.perf_counter() - started)}), flush=True)


def multi(number):
    transaction = client.transaction()
    for _ in range(4):
        transaction.set_data(root + "/node", data)
    return transaction.commit_async()


operations = {
    "get": lambda number: client.get_async(root + "/node"),
    "set": lambda number: client.set_async(root + "/node", data),
    "create": lambda number: client.create_async(root + "/child-", data, sequence=True),
    "multi of 4 sets": multi,
}
for name, one in operations.items():
    measure(name + ", pipelined", one, rounds, window)
    measure(name + ", one by one", one, max(rounds // 10, 1), 1)

lock = client.Lock(root + "/lock", "bench")
locks = max(rounds // 10, 1)
started = time.perf_counter()
for _ in range(locks):
    with lock:
        pass
print(json.dumps({"case": "lock taken and given back", "value": locks / (time.perf_counter() - started)}), flush=True)
client.stop()
client.close()
