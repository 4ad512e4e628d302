import { describeQueues } from './suite/queues-suite.ts'
import { opened } from './suite/opening.ts'

describeQueues('queues in process', (given) => opened(given))
