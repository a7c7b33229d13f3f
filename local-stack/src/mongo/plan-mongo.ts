import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dockerMongo } from '../docker/docker-engine.ts';
import { obtainWithReport, type Plan, type Planned } from '../plan.ts';
import { findProgram } from '../system/find-program.ts';
import { createFerretDbPart } from './ferretdb-part.ts';
import { createMongodPart } from './mongod-part.ts';
import { obtainDocumentDb } from './obtain-documentdb.ts';
import { ferretVersion, obtainFerretDb } from './obtain-ferretdb.ts';
import { createPostgres } from './postgres-part.ts';

const user = 'quicksale';

export async function planMongo(plan: Plan): Promise<Planned> {
  const { data, logs } = plan.folders;
  const port = await plan.choosePort('MONGO_PORT', 27017);
  const plainUrl = `mongodb://127.0.0.1:${port}/quicksale`;
  if (await plan.hasDocker()) {
    await plan.run([dockerMongo(port, { dataFolder: data, logFolder: logs, env: plan.env })]);
    return { url: plainUrl, source: 'Docker' };
  }
  const mongod = await findProgram('mongod', plan.env);
  if (mongod !== undefined) {
    const folders = { dataFolder: join(data, 'mongod'), logFolder: logs };
    await plan.run([await createMongodPart({ command: mongod, port, ...folders, env: plan.env })]);
    return { url: plainUrl, source: `on PATH: ${mongod}` };
  }
  const [program, ferretdb] = await Promise.all([
    obtainWithReport(plan, 'postgres', obtainDocumentDb),
    obtainWithReport(plan, 'ferretdb', obtainFerretDb),
  ]);
  const password = await readOrMakePassword(join(data, 'mongo-password'));
  const postgres = await createPostgres({
    program,
    dataFolder: join(data, 'postgres'),
    logFolder: logs,
    user,
    password,
  });
  plan.atEnd(async () => postgres.cleanUp());
  const url = `mongodb://${user}:${password}@127.0.0.1:${port}/quicksale?authSource=admin`;
  const gateway = await createFerretDbPart({
    command: ferretdb.command,
    postgres,
    port,
    url,
    dataFolder: join(data, 'ferretdb'),
    logFolder: logs,
  });
  await plan.run([postgres.part, gateway]);
  return { url, source: `FerretDB ${ferretVersion} on PostgreSQL 18 with DocumentDB` };
}

async function readOrMakePassword(file: string): Promise<string> {
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known !== '') {
    return known;
  }
  const password = randomBytes(18).toString('base64url');
  await writeFile(file, password, { mode: 0o600 });
  return password;
}
