// Jest's transformer: Node's own type stripping, so that tests run the very code that the programs run. Positions stay
// as they are, so no source map is needed. (Packages are resolved with the conditions of jest.config.js: with 'import'
// among them Jest takes the ESM face of packages that it then loads as CommonJS.)
import { stripTypeScriptTypes } from 'node:module'

export default { process: (source) => ({ code: stripTypeScriptTypes(source) }) }
