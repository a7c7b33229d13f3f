// Jest's transformer: the same type stripping that Node does when it runs a file, so tests run what
// production runs, on the same lines and columns.
import { stripTypeScriptTypes } from 'node:module';

export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
};
