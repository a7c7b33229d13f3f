/** What differs from PostgreSQL's own defaults, and why. */
export function postgresSettings(socketFolder: string): Record<string, string | number> {
  return {
    // Nobody but the owner reaches the server: a socket in a private folder, no network port.
    listen_addresses: `''`,
    unix_socket_directories: `'${socketFolder}'`,
    port: 5432,
    timezone: `'GMT'`,
    log_timezone: `'GMT'`,
    // Every lost race of the protocol layer would be an error line otherwise.
    log_min_messages: 'fatal',
    log_min_error_statement: 'panic',
    // A race for one unique key is settled by the deadlock check: 0.15 s instead of 7 s.
    deadlock_timeout: `'20ms'`,
    shared_preload_libraries: `'pg_cron,pg_documentdb_core,pg_documentdb,pg_documentdb_extended_rum'`,
    'cron.database_name': `'postgres'`,
    'cron.timezone': `'GMT'`,
    'cron.use_background_workers': 'on',
    'cron.log_run': 'off',
    'cron.log_statement': 'off',
    'documentdb.localhost_connection_string': `'host=${socketFolder}'`,
    max_connections: 120,
    max_worker_processes: 16,
    max_parallel_workers_per_gather: 0,
    shared_buffers: `'256MB'`,
    // An acknowledged write survives a crash.
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    wal_compression: 'lz4',
    wal_level: 'minimal',
    max_wal_senders: 0,
    max_wal_size: `'1GB'`,
    checkpoint_timeout: `'15min'`,
    io_method: 'sync',
    jit: 'off',
  };
}
