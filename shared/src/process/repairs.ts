/** What mends after a crash, by the names under which a test may switch it off. */
export const repairs = [
  'unrecorded-sweep',
  'outbox-scan',
  'expiry-sweep',
  'payment-check',
  'discount-uses',
  'status-repeat',
  'movement-runner',
  'sale-runner',
  'admission',
  'rebuild',
  'auditor',
  'resume',
] as const;
export type Repair = (typeof repairs)[number];
