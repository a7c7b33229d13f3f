import { runService } from '@quicksale/shared/process';
import { config } from './config.ts';
import { buildService } from './service.ts';

await runService({ name: 'notifier-service', config, env: process.env, build: buildService });
