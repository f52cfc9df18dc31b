// io.prometheus.client.MetricFamily messages by hand, length-delimited.
const varint = (value: number | bigint): Buffer => {
  const out: number[] = [];
  for (let n = BigInt(value); ;) {
    const b = Number(n & 0x7fn);
    n >>= 7n;
    if (n) out.push(b | 0x80); else { out.push(b); return Buffer.from(out); }
  }
};
export const bytes = (field: number, value: string | Buffer) => { const b = Buffer.from(value as any); return Buffer.concat([varint((field << 3) | 2), varint(b.length), b]); };
export const int = (field: number, value: number) => Buffer.concat([varint(field << 3), varint(value)]);
export const sint = (field: number, value: number) => int(field, value < 0 ? -2 * value - 1 : 2 * value);
export const double = (field: number, value: number) => { const b = Buffer.alloc(8); b.writeDoubleLE(value); return Buffer.concat([varint((field << 3) | 1), b]); };
export const label = (name: string, value: string) => bytes(1, Buffer.concat([bytes(1, name), bytes(2, value)]));
export const span = (field: number, offset: number, length: number) => bytes(field, Buffer.concat([sint(1, offset), int(2, length)]));
export const family = (name: string, type: number, ...metrics: Buffer[]) => {
  const message = Buffer.concat([bytes(1, name), bytes(2, "Help."), int(3, type), ...metrics.map((m) => bytes(4, m))]);
  return Buffer.concat([varint(message.length), message]);
};
