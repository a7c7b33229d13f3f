'use strict';
// Makes what docker-compose.yml has no default for: node deploy/make-secrets.cjs [folder of .env]
// Plain JavaScript without packages, so that any Node can run it. What is there already is kept.

const fs = require('fs');
const path = require('path');
const { generateKeyPairSync, randomBytes } = require('crypto');

const root = path.resolve(process.argv[2] || path.join(__dirname, '..'));
const folder = path.join(root, 'deploy', 'secrets');

// Processes in containers run as another user, who has to read the files: what keeps them from
// other users of this machine is the folder.
fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
writeOnce(path.join(folder, 'internal-key'), 0o444, () => randomBytes(24).toString('base64url'));
writeOnce(path.join(folder, 'jwt-private-key.pem'), 0o444, makeSigningKey);

const envFile = path.join(root, '.env');
writeOnce(envFile, 0o600, () => '');
const known = fs.readFileSync(envFile, 'utf8');
const settings = {
  COMPOSE_PROFILES: 'core',
  INTERNAL_KEY_FILE: './deploy/secrets/internal-key',
  JWT_PRIVATE_KEY_FILE: './deploy/secrets/jwt-private-key.pem',
};
for (const [name, value] of Object.entries(settings)) {
  if (!new RegExp(`^${name}=`, 'm').test(known)) {
    const isOpenLine = known !== '' && !known.endsWith('\n');
    fs.appendFileSync(envFile, `${isOpenLine ? '\n' : ''}${name}=${value}\n`);
  }
}

function writeOnce(file, mode, make) {
  if (fs.existsSync(file)) return;
  fs.writeFileSync(file, make(), { mode: 0o600 });
  // Not left to the umask.
  fs.chmodSync(file, mode);
}

function makeSigningKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}
