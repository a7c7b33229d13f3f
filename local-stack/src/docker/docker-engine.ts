import { join } from 'node:path';
import type { KafkaPorts } from '../kafka/kafka-part.ts';
import { kafkaSettings } from '../kafka/kafka-part.ts';
import { isBrokerReady } from '../kafka/describe-cluster.ts';
import { kafkaVersion } from '../kafka/obtain-kafka.ts';
import { waitForReplicaSet } from '../mongo/mongod-part.ts';
import { redisSettings, type RedisRole, waitForRedis } from '../redis/redis-part.ts';
import type { PartOptions } from '../supervisor/part.ts';
import { tryCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';
import { waitUntil } from '../system/wait-until.ts';

// Written without an engine to try it on: the machines this was made on have none. Kept to plain
// `docker run` in the foreground, so that a container is one more supervised process. For servers that
// outlive a launcher there is deploy/compose.host.yml.

/** The official images; docker-compose.yml runs the same. */
export const serverImages = {
  redis: 'redis:7',
  mongo: 'mongo:8',
  kafka: `apache/kafka:${kafkaVersion}`,
};

export async function isDockerThere(env: Environment): Promise<boolean> {
  const args = ['info', '--format', '{{.ServerVersion}}'];
  const version = await tryCommand('docker', args, { env, timeoutMs: 2000 });
  return version !== undefined && version.trim() !== '';
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly dockerArgs: readonly string[];
  readonly imageArgs: readonly string[];
  readonly ready: (signal: AbortSignal) => Promise<void>;
}

export interface DockerPlace {
  readonly dataFolder: string;
  readonly logFolder: string;
  readonly env: Environment;
}

export function dockerRedis(role: RedisRole, port: number, place: DockerPlace): PartOptions {
  const settings = Object.entries(redisSettings(role));
  return containerPart(place, {
    name: role,
    image: serverImages.redis,
    dockerArgs: ['-p', `127.0.0.1:${port}:6379`, '-v', `${join(place.dataFolder, role)}:/data`],
    imageArgs: settings.flatMap(([name, value]) => [`--${name}`, value]),
    ready: async (signal) => waitForRedis(port, signal),
  });
}

export function dockerMongo(port: number, place: DockerPlace): PartOptions {
  // The member's address must mean the same inside and outside, hence the same port on both sides.
  return containerPart(place, {
    name: 'mongod',
    image: serverImages.mongo,
    dockerArgs: ['-p', `127.0.0.1:${port}:${port}`, '-v', `${place.dataFolder}/mongod:/data/db`],
    imageArgs: ['--replSet', 'rs0', '--bind_ip_all', '--port', String(port)],
    ready: async (signal) => waitForReplicaSet(port, signal),
  });
}

export function dockerKafka(ports: KafkaPorts, place: DockerPlace): PartOptions {
  const address = `0.0.0.0:${ports.broker}`;
  const settings = {
    ...kafkaSettings(ports, '/var/lib/kafka/data'),
    listeners: `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${ports.controller}`,
  };
  const variables = Object.entries(settings).flatMap(([name, value]) => [
    '-e',
    `KAFKA_${name.replaceAll('.', '_').toUpperCase()}=${value}`,
  ]);
  return containerPart(place, {
    name: 'kafka',
    image: serverImages.kafka,
    dockerArgs: [
      ...['-p', `127.0.0.1:${ports.broker}:${ports.broker}`],
      ...['-v', `${join(place.dataFolder, 'kafka')}:/var/lib/kafka/data`, ...variables],
    ],
    imageArgs: [],
    ready: async (signal) =>
      waitUntil(async () => isBrokerReady(ports.broker), { signal, intervalMs: 100 }),
  });
}

function containerPart(place: DockerPlace, container: Container): PartOptions {
  return {
    name: container.name,
    command: 'docker',
    args: [
      'run',
      '--rm',
      '--init',
      ...container.dockerArgs,
      container.image,
      ...container.imageArgs,
    ],
    env: place.env,
    logFile: join(place.logFolder, `${container.name}.log`),
    ready: container.ready,
    // The first run downloads the image.
    readyTimeoutMs: 300_000,
    okExitCodes: [130, 137, 143],
  };
}
