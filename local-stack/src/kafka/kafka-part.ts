import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartOptions } from '../supervisor/part.ts';
import { exists } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';
import { waitUntil } from '../system/wait-until.ts';
import { isBrokerReady } from './describe-cluster.ts';
import type { KafkaProgram } from './obtain-kafka.ts';

// One broker per data folder, never joined to another: the id only has to be well-formed.
const clusterId = 'UXVpY2tTYWxlRGV2S2Fma2E';

export interface KafkaPorts {
  readonly broker: number;
  readonly controller: number;
}

export function kafkaSettings(ports: KafkaPorts, logFolder: string): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.broker}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logFolder,
    // A mistyped topic must fail, not come into being.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'min.insync.replicas': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // Sized for a developer's machine.
    'num.network.threads': '1',
    'num.io.threads': '2',
    'log.cleaner.dedupe.buffer.size': '2097152',
    'log.segment.bytes': '67108864',
    'controller.quorum.election.timeout.ms': '100',
    // After a kill the restarted broker waits until its old registration has timed out.
    'broker.heartbeat.interval.ms': '400',
    'broker.session.timeout.ms': '2000',
    'controlled.shutdown.enable': 'true',
  };
}

const leanJava = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];

export async function createKafkaPart(options: {
  program: KafkaProgram;
  ports: KafkaPorts;
  dataFolder: string;
  logFolder: string;
  env: Environment;
  javaOptions?: readonly string[];
}): Promise<PartOptions> {
  const { program, ports, dataFolder } = options;
  const topicFolder = join(dataFolder, 'topics');
  const propertiesFile = join(dataFolder, 'server.properties');
  const env = { PATH: options.env.PATH, HOME: options.env.HOME, LC_ALL: 'C.UTF-8' };
  await mkdir(dataFolder, { recursive: true });
  const settings = Object.entries(kafkaSettings(ports, topicFolder));
  await writeFile(propertiesFile, settings.map(([name, value]) => `${name}=${value}\n`).join(''));
  const hasArchive = await exists(program.classArchive);
  const archive = hasArchive ? [`-XX:SharedArchiveFile=${program.classArchive}`] : [];
  const classPath = ['-cp', `${program.libFolder}/*`];
  if (!(await exists(join(topicFolder, 'meta.properties')))) {
    const format = ['format', '-t', clusterId, '-c', propertiesFile, '--ignore-formatted'];
    const java = ['-Xmx128m', ...leanJava, ...archive, ...classPath];
    await runCommand(program.java, [...java, 'kafka.tools.StorageTool', ...format], { env });
  }
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  const heap = ['-Xmx256m', '-Xms128m', ...leanJava];
  return {
    name: 'kafka',
    command: program.java,
    args: [
      ...[...heap, ...archive, ...(options.javaOptions ?? []), quiet, ...classPath],
      ...['kafka.Kafka', propertiesFile],
    ],
    env,
    cwd: dataFolder,
    logFile: join(options.logFolder, 'kafka.log'),
    ready: async (signal) =>
      waitUntil(async () => isBrokerReady(ports.broker), { signal, intervalMs: 50 }),
    // A Java program that is asked to end says so with this exit code.
    okExitCodes: [143],
    stopTimeoutMs: 10_000,
  };
}
