import { createHash } from 'node:crypto';
import { mkdtemp, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtainOnce } from '../obtain/server-cache.ts';
import { exists, findProgram } from '../system/find-program.ts';
import { runCommand, tryCommand } from '../system/run-command.ts';
import type { Environment } from '../system/report.ts';
import { StackError } from '../system/stack-error.ts';

export const kafkaVersion = '4.3.1';
const minimumJava = 17;

export interface KafkaProgram {
  readonly java: string;
  readonly libFolder: string;
  /** Classes as the JVM keeps them in memory: with it the broker starts in half the time. */
  readonly classArchive: string;
  readonly source: string;
}

export async function obtainKafka(options: {
  cacheFolder: string;
  env: Environment;
  waiting: () => void;
}): Promise<KafkaProgram> {
  const { env } = options;
  const java = await requireJava(env);
  const { folder } = await obtainOnce({
    ...options,
    name: `kafka-${kafkaVersion}-1`,
    build: async (buildFolder) => {
      await writeFile(join(buildFolder, 'pom.xml'), pom);
      const args = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'];
      await runCommand('mvn', args, {
        cwd: buildFolder,
        env,
        fix: 'Install Maven (Debian: apt-get install maven), use Docker, or set KAFKA_BROKERS.',
      });
    },
  });
  return {
    java,
    libFolder: join(folder, 'lib'),
    classArchive: join(folder, `classes-${await javaFingerprint(java)}.jsa`),
    source: `Kafka ${kafkaVersion} from the Maven repository`,
  };
}

/** An archive only fits the very Java that wrote it. */
async function javaFingerprint(java: string): Promise<string> {
  const path = await realpath(java);
  const { size, mtimeMs } = await stat(path);
  return createHash('sha256').update(`${path} ${size} ${mtimeMs}`).digest('hex').slice(0, 12);
}

export async function findJava(
  env: Environment,
): Promise<{ path: string; version: number } | undefined> {
  const home = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : undefined;
  const path = home !== undefined && (await exists(home)) ? home : await findProgram('java', env);
  if (path === undefined) {
    return undefined;
  }
  const settings = await tryCommand('sh', ['-c', '"$0" -version 2>&1', path], { env });
  const version = /version "(\d+)/.exec(settings ?? '')?.[1];
  return { path, version: Number(version ?? 0) };
}

async function requireJava(env: Environment): Promise<string> {
  const java = await findJava(env);
  if (java === undefined || java.version < minimumJava) {
    const found = java === undefined ? 'Java is not installed' : `Java ${java.version} is too old`;
    throw new StackError(`${found}: Kafka needs Java ${minimumJava}`, {
      fix: 'Install it (Debian: apt-get install openjdk-17-jre-headless maven), use Docker, or set KAFKA_BROKERS.',
    });
  }
  return java.path;
}

/**
 * Makes the class archive with one run of a throw-away broker. Best effort: without it the broker
 * only starts slower. Not in the build folder, since an archive names the jars by their full path.
 */
export async function makeClassArchive(options: {
  program: KafkaProgram;
  runOnce: (folder: string, javaOptions: readonly string[]) => Promise<void>;
}): Promise<void> {
  const { classArchive, libFolder } = options.program;
  if (await exists(classArchive)) {
    return;
  }
  const folder = await mkdtemp(join(libFolder, '..', 'archive-'));
  try {
    const archive = join(folder, 'classes.jsa');
    await options.runOnce(folder, [`-XX:ArchiveClassesAtExit=${archive}`]);
    if ((await readdir(folder)).includes('classes.jsa')) {
      await rename(archive, classArchive);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>quicksale</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;
