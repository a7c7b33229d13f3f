/** order-service, as far as a rebuild needs it. */
export interface UnrecordedHolds {
  /**
   * Has the orders of what unrecorded holds a fenced sale has left brought into MongoDB; resolves to
   * how many there were. Throws AppError `dependency-unavailable` while that cannot be said.
   */
  record(saleId: string): Promise<{ holds: number; recorded: number }>;
}
