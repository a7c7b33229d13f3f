/** Who a signed-in person may be. */
export const roles = ['CUSTOMER', 'MERCHANT', 'ADMIN', 'SUPPORT'] as const;
export type Role = (typeof roles)[number];
