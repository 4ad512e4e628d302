// Jest's Node environment without the interceptors of a contextified global object: in one of those every look at
// `Math`, `Buffer` or `String` goes through C++ and takes thirty times as long, which is most of what tests of pure
// functions would do. A context that is not contextified (Node 22.8) has globals of its own just the same.
import vm from 'node:vm'
import { TestEnvironment } from 'jest-environment-node'

const contextify = vm.createContext

export default class PlainEnvironment extends TestEnvironment {
  constructor(config, context) {
    vm.createContext = () => contextify(vm.constants.DONT_CONTEXTIFY)
    try {
      super(config, context)
    } finally {
      vm.createContext = contextify
    }
  }
}
