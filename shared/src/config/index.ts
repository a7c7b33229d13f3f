export {
  ConfigError,
  field,
  loadConfig,
  type Config,
  type ConfigField,
  type ConfigTable,
  type Environment,
} from './define-config.ts';
export * from './fields.ts';
