export { startEnsemble as default } from './servers.js'
