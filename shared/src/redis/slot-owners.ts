/** What a node of a cluster says of all of them (`CLUSTER NODES`), and where it was asked. */
export interface ClusterView {
  nodes: string;
  host: string;
}

/**
 * The address (`host:port`) of the master of each slot. Where views differ, the claim with the
 * highest configuration epoch counts, as it does among the nodes themselves: one that was cut off
 * from the others cannot lead to a master that has been replaced.
 */
export function slotOwners(views: readonly ClusterView[]): string[] {
  const owners: string[] = [];
  const epochs: number[] = [];
  for (const { nodes, host } of views)
    for (const line of nodes.split('\n')) {
      const [, address = '', flags = '', , , , configEpoch, , ...ranges] = line.trim().split(' ');
      // ip:port@busPort[,hostname]; a node does not always know its own ip.
      const [, ip, port, hostname] = /^(.*):(\d+)@\d+,?([^,]*)/.exec(address) ?? [];
      if (!port || !flags.split(',').includes('master')) continue;
      const epoch = Number(configEpoch);
      for (const range of ranges) {
        // [93-<-id] and [93->-id] are slots on the way; their owner has them until they are there.
        const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
        for (let slot = Number(first); slot <= Number(last); slot += 1) {
          if (epoch <= (epochs[slot] ?? -1)) continue;
          epochs[slot] = epoch;
          owners[slot] = `${hostname || ip || host}:${port}`;
        }
      }
    }
  return owners;
}
