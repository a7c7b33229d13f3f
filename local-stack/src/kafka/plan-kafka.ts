import { join } from 'node:path';
import { dockerKafka } from '../docker/docker-engine.ts';
import { obtainWithReport, type Plan, type Planned } from '../plan.ts';
import { createSupervisor } from '../supervisor/supervisor.ts';
import { findFreePorts } from '../system/ports.ts';
import { createKafkaPart } from './kafka-part.ts';
import { type KafkaProgram, makeClassArchive, obtainKafka } from './obtain-kafka.ts';

export async function planKafka(plan: Plan): Promise<Planned> {
  const { data, logs } = plan.folders;
  const ports = {
    broker: await plan.choosePort('KAFKA_PORT', 9092),
    controller: await plan.choosePort('KAFKA_CONTROLLER_PORT', 9093),
  };
  const url = `127.0.0.1:${ports.broker}`;
  if (await plan.hasDocker()) {
    await plan.run([dockerKafka(ports, { dataFolder: data, logFolder: logs, env: plan.env })]);
    return { url, source: 'Docker' };
  }
  const program = await obtainWithReport(plan, 'kafka', async (options) => {
    const obtained = await obtainKafka(options);
    await archiveClasses(plan, obtained);
    return obtained;
  });
  const folders = { dataFolder: join(data, 'kafka'), logFolder: logs };
  await plan.run([await createKafkaPart({ program, ports, ...folders, env: plan.env })]);
  return { url, source: program.source };
}

/** Starts a broker on a folder of its own and ends it, which writes the archive. */
async function archiveClasses(plan: Plan, program: KafkaProgram): Promise<void> {
  try {
    await makeClassArchive({
      program,
      runOnce: async (folder, javaOptions) => {
        const [broker = 0, controller = 0] = await findFreePorts(2, plan.env);
        const part = await createKafkaPart({
          program,
          ports: { broker, controller },
          dataFolder: folder,
          logFolder: folder,
          env: plan.env,
          javaOptions,
        });
        const supervisor = await createSupervisor({ pidFolder: folder, env: plan.env });
        supervisor.add({ ...part, stopTimeoutMs: 60_000 });
        try {
          await supervisor.start();
        } finally {
          await supervisor.stop();
        }
      },
    });
  } catch (error) {
    const message = `no class archive (${String(error)}); Kafka only starts slower`;
    plan.report({ part: 'kafka', state: 'note', message });
  }
}
