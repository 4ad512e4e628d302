export { startSingle as default } from './servers.js'
