"""Every recipe of kazoo against the server at argv[1] (HOST:PORT). Prints `ok NAME` for each; ends with 1 at a failure."""

import sys
import threading
import traceback
import uuid

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError,
    LockTimeout,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.watchers import ChildrenWatch, DataWatch, PatientChildrenWatch
from kazoo.security import make_digest_acl

HOSTS = sys.argv[1]
WAIT_S = 20
ROOT = "/kazoo-" + uuid.uuid4().hex


def client(**options):
    made = KazooClient(hosts=HOSTS, timeout=4, **options)
    made.start(timeout=WAIT_S)
    return made


def until(condition):
    done = threading.Event()
    for _ in range(WAIT_S * 100):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("waited in vain")


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def raises(error, call, *args, **options):
    try:
        call(*args, **options)
    except error:
        return
    raise AssertionError("%s expected" % error.__name__)


def operations(one, _two, path):
    assert one.server_version() >= (3, 8)
    assert one.command(b"ruok") == "imok"
    one.ensure_path(path + "/a/b")
    assert one.create(path + "/s-", b"x", sequence=True).endswith("s-0000000001")
    made, stat = one.create(path + "/e", b"x", ephemeral=True, include_data=True)
    assert (made, stat.owner_session_id) == (path + "/e", one.client_id[0])
    assert one.get(path + "/e")[0] == b"x"
    assert one.set(path + "/e", b"yy", version=0).version == 1
    raises(BadVersionError, one.set, path + "/e", b"z", version=0)
    raises(NodeExistsError, one.create, path + "/e")
    raises(NoNodeError, one.get, path + "/none")
    raises(NotEmptyError, one.delete, path + "/a")
    assert sorted(one.get_children(path)) == ["a", "e", "s-0000000001"]
    assert one.sync(path) == path
    one.delete(path + "/a", recursive=True)
    assert one.exists(path + "/a") is None


def transactions(one, _two, path):
    one.create(path + "/n", b"1")
    good = one.transaction()
    good.create(path + "/m", b"x", sequence=True)
    good.set_data(path + "/n", b"2")
    good.check(path + "/n", 1)
    created, stat, checked = good.commit()
    assert created.startswith(path + "/m") and stat.version == 1 and checked is True
    bad = one.transaction()
    bad.delete(path + "/n", version=1)
    bad.check(path + "/n", 7)
    results = bad.commit()
    assert [type(result) for result in results] == [RolledBackError, NoNodeError]
    assert one.get(path + "/n")[0] == b"2"


def authentication(one, two, path):
    one.add_auth("digest", "ann:secret")
    one.create(path + "/secret", b"x", acl=[make_digest_acl("ann", "secret", all=True)])
    raises(NoAuthError, two.get, path + "/secret")
    assert one.get(path + "/secret")[0] == b"x"
    acls, stat = one.get_acls(path + "/secret")
    assert len(acls) == 1 and stat.acl_version == 0
    one.set_acls(path + "/secret", [make_digest_acl("bob", "x", read=True)])
    raises(NoAuthError, one.get, path + "/secret")


def lock(one, two, path):
    mine, theirs = one.Lock(path, "one"), two.Lock(path, "two")
    assert mine.acquire(timeout=WAIT_S)
    assert theirs.acquire(blocking=False) is False
    raises(LockTimeout, theirs.acquire, timeout=0.1)
    waiting = in_thread(lambda: theirs.acquire(timeout=WAIT_S))
    until(lambda: two.Lock(path).contenders() == ["one", "two"])
    mine.release()
    waiting.join(WAIT_S)
    assert theirs.is_acquired
    theirs.release()


def read_lock(one, two, path):
    first, second, writer = one.ReadLock(path), two.ReadLock(path), two.WriteLock(path)
    assert first.acquire(timeout=WAIT_S) and second.acquire(timeout=WAIT_S)
    assert writer.acquire(blocking=False) is False
    first.release()
    second.release()
    assert writer.acquire(timeout=WAIT_S)
    writer.release()


def semaphore(one, two, path):
    first, second = one.Semaphore(path, max_leases=1), two.Semaphore(path, max_leases=1)
    assert first.acquire(timeout=WAIT_S)
    assert second.acquire(blocking=False) is False
    first.release()
    assert second.acquire(timeout=WAIT_S)
    second.release()


def lease(one, two, path):
    import datetime

    def ask(session):
        return session.NonBlockingLease(path, datetime.timedelta(hours=1), identifier=session.client_id[0])

    assert ask(one)
    assert not ask(two)


def election(one, two, path):
    led = []
    for name, session in (("one", one), ("two", two)):
        in_thread(lambda n=name, s=session: s.Election(path, n).run(led.append, n))
    until(lambda: sorted(led) == ["one", "two"])


def queue(one, two, path):
    one.Queue(path).put(b"later", priority=200)
    one.Queue(path).put(b"first")
    assert len(two.Queue(path)) == 2
    assert [two.Queue(path).get() for _ in range(3)] == [b"first", b"later", None]


def locking_queue(one, two, path):
    put, taken = one.LockingQueue(path), two.LockingQueue(path)
    put.put_all([b"a", b"b"])
    assert taken.get(timeout=WAIT_S) == b"a"
    assert taken.holds_lock() and taken.consume()
    assert taken.get(timeout=WAIT_S) == b"b"
    assert taken.release()
    assert put.get(timeout=WAIT_S) == b"b"
    assert put.consume() and len(put) == 0


def barrier(one, two, path):
    gate = one.Barrier(path)
    gate.create()
    assert two.Barrier(path).wait(0.1) is False
    waiting = in_thread(lambda: two.Barrier(path).wait(WAIT_S))
    assert gate.remove()
    waiting.join(WAIT_S)
    assert not waiting.is_alive()


def double_barrier(one, two, path):
    through = []

    def pass_by(session):
        both = session.DoubleBarrier(path, 2)
        both.enter()
        through.append("in")
        both.leave()
        through.append("out")

    threads = [in_thread(lambda s=session: pass_by(s)) for session in (one, two)]
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(through) == ["in", "in", "out", "out"]


def counter(one, two, path):
    adders = [in_thread(lambda s=session: [s.Counter(path).__add__(1) for _ in range(10)]) for session in (one, two)]
    for adder in adders:
        adder.join(WAIT_S)
    assert one.Counter(path).value == 20


def party(one, two, path):
    first, second = one.Party(path, "one"), two.ShallowParty(path + "-shallow", "two")
    first.join()
    second.join()
    assert list(two.Party(path)) == ["one"] and list(one.ShallowParty(path + "-shallow")) == ["two"]
    first.leave()
    assert list(two.Party(path)) == []


def set_partitioner(one, two, path):
    parts = [
        session.SetPartitioner(path, set=range(6), identifier=name, time_boundary=0.3)
        for name, session in (("one", one), ("two", two))
    ]

    shared = threading.Event()

    def run(part):
        while not shared.is_set():
            assert not part.failed
            if part.release:
                part.release_set()
            elif part.acquired:
                shared.wait(0.05)
            else:
                part.wait_for_acquire(1)

    threads = [in_thread(lambda p=part: run(p)) for part in parts]
    until(lambda: all(part.acquired and len(list(part)) == 3 for part in parts))
    assert sorted(sum((list(part) for part in parts), [])) == list(range(6))
    shared.set()
    for thread in threads:
        thread.join(WAIT_S)
    for part in parts:
        part.finish()


def watchers(one, two, path):
    children, data, patient = [], [], PatientChildrenWatch(one, path, time_boundary=0.1).start()
    ChildrenWatch(one, path, children.append)
    DataWatch(one, path + "/d", lambda value, stat: data.append(value))
    two.create(path + "/d", b"1")
    until(lambda: data[-1:] == [b"1"] and children[-1:] == [["d"]])
    two.set(path + "/d", b"2")
    until(lambda: data[-1:] == [b"2"])
    two.delete(path + "/d")
    until(lambda: data[-1:] == [None] and children[-1:] == [[]])
    until(patient.ready)


def tree_cache(one, two, path):
    cache, heard = TreeCache(one, path), []
    cache.listen(lambda event: heard.append(event.event_type))
    cache.start()
    until(lambda: TreeEvent.INITIALIZED in heard)
    two.create(path + "/a/b", b"x", makepath=True)
    until(lambda: cache.get_data(path + "/a/b", None) is not None)
    two.delete(path + "/a/b")
    until(lambda: cache.get_data(path + "/a/b", None) is None)
    cache.close()


def expiry(_one, two, path):
    lost = client()
    states = []
    lost.add_listener(states.append)
    lost.create(path + "/e", b"x", ephemeral=True)
    old_session, password = lost.client_id
    thief = KazooClient(hosts=HOSTS, timeout=4, client_id=(old_session, password))
    thief.start(timeout=WAIT_S)
    thief.stop()  # closes the session that is the lost one's too
    until(lambda: KazooState.LOST in states and states[-1] == KazooState.CONNECTED)
    assert two.exists(path + "/e") is None
    lost.retry(lost.create, path + "/again", b"x", ephemeral=True)
    assert lost.client_id[0] != old_session
    lost.stop()
    lost.close()


STORIES = [
    operations,
    transactions,
    authentication,
    lock,
    read_lock,
    semaphore,
    lease,
    election,
    queue,
    locking_queue,
    barrier,
    double_barrier,
    counter,
    party,
    set_partitioner,
    watchers,
    tree_cache,
    expiry,
]


def main():
    failed = []
    for story in STORIES:
        one, two = client(), client()
        path = ROOT + "/" + story.__name__
        try:
            one.ensure_path(path)
            story(one, two, path)
            print("ok", story.__name__, flush=True)
        except Exception:  # told, and the others go on
            failed.append(story.__name__)
            print("failed", story.__name__, traceback.format_exc(), flush=True)
        for each in (one, two):
            each.stop()
            each.close()
    sys.exit(1 if failed else 0)


main()
