/** The six processes of QuickSale, their ports and the prefix of their variables. */
export interface ServiceRow {
  readonly name: string;
  readonly prefix: string;
  /** Absent for a process without public port. */
  readonly port?: number;
  readonly adminPort: number;
}

export const serviceTable: readonly ServiceRow[] = [
  { name: 'gateway', prefix: 'GATEWAY', port: 3000, adminPort: 9000 },
  { name: 'auth-service', prefix: 'AUTH_SERVICE', port: 3001, adminPort: 9001 },
  { name: 'inventory-service', prefix: 'INVENTORY_SERVICE', port: 3002, adminPort: 9002 },
  { name: 'order-service', prefix: 'ORDER_SERVICE', port: 3003, adminPort: 9003 },
  { name: 'notifier-service', prefix: 'NOTIFIER_SERVICE', port: 3004, adminPort: 9004 },
  { name: 'kafka-processor', prefix: 'KAFKA_PROCESSOR', adminPort: 9005 },
];

/** Variables that hold a service's ports, with the standard number of each. */
export function portVariables(row: ServiceRow): { variable: string; standard: number }[] {
  const admin = { variable: `${row.prefix}_ADMIN_PORT`, standard: row.adminPort };
  return row.port === undefined
    ? [admin]
    : [{ variable: `${row.prefix}_PORT`, standard: row.port }, admin];
}
