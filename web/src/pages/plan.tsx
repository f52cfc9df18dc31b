// How a query was evaluated: the tree of its operators with what each cost.
import { useResource } from '../lib/api';
import { formatNumber, formatSeconds, plural, shorten } from '../lib/format';
import { explain, type Explained, type Plan } from '../lib/status';
import { currentRange, range, refreshTick } from '../lib/store';
import { niceStep } from '../lib/time';
import { Empty, ErrorBox, Spinner, Stat } from '../ui/basics';

const how: Record<string, string> = {
  streamed: 'series by series into the operator above', once: 'once: it is the same at every step', columns: 'all series, then all steps',
};

function Node({ plan, whole, depth }: { plan: Plan; whole: number; depth: number }) {
  const own = Math.max(0, plan.seconds - plan.children.reduce((n, c) => n + c.seconds, 0));
  const share = whole > 0 ? own / whole : 0;
  return (
    <>
      <tr>
        <th scope="row"><div style={{ paddingLeft: `${Math.min(depth, 12) * 16}px` }}>
          <div class="plan-name"><span class="tag pill">{plan.op}</span> <code title={plan.text}>{shorten(plan.name, 200)}</code></div>
          {plan.how && <p class="muted small">{how[plan.how] ?? plan.how}{plan.threads > 1 && `, on ${plan.threads} threads`}</p>}
          {plan.seriesMatched !== undefined && <p class="muted small">read {plural(plan.seriesMatched, 'series', 'series')}, {formatNumber(plan.samplesDecoded ?? 0)} samples decoded
            {(plan.blocks ?? 0) > 0 && <>, {formatNumber(plan.blocksSkipped ?? 0)} of {plural(plan.blocks!, 'block')} skipped</>}</p>}
        </div></th>
        <td data-label="Series" class="num">{formatNumber(plan.series)}</td>
        <td data-label="Points" class="num">{formatNumber(plan.points)}</td>
        <td data-label="Time" class="num">{formatSeconds(plan.seconds)}</td>
        <td data-label="Own share"><div class="plan-share" role="img" aria-label={`${Math.round(share * 100)} % of the time`} title={`${Math.round(share * 100)} %`}><i style={{ width: `${Math.round(share * 100)}%` }} /></div></td>
      </tr>
      {plan.children.map((c, i) => <Node key={i} plan={c} whole={whole} depth={depth + 1} />)}
    </>
  );
}

function Explanation({ expr, data }: { expr: string; data: Explained }) {
  return (
    <section class="plan">
      {expr && <h3 class="table-title"><code>{expr}</code></h3>}
      <div class="stats">
        <Stat label="Time" value={formatSeconds(data.execSeconds)} /><Stat label="Samples read" value={formatNumber(data.samplesRead)} />
        <Stat label="Samples held at once" value={formatNumber(data.peakSamples)} /><Stat label="Series in the answer" value={formatNumber(data.series)} />
      </div>
      {data.plan && (
        <div class="table-scroll" tabIndex={0} role="region" aria-label="Plan">
          <table class="table cards" data-testid="plan-table">
            <thead><tr><th scope="col">Operator</th><th scope="col" class="num">Series</th><th scope="col" class="num">Points</th><th scope="col" class="num">Time</th><th scope="col">Own share</th></tr></thead>
            <tbody><Node plan={data.plan} whole={data.plan.seconds} depth={0} /></tbody>
          </table>
        </div>
      )}
    </section>
  );
}

export function PlanView({ exprs, turn }: { exprs: string[]; turn: number }) {
  const { data, error, loading } = useResource(exprs.length ? async (signal) => {
    const r = currentRange(), step = niceStep(r.to - r.from, 240);
    return Promise.all(exprs.map((expr) => explain(expr, r.from, r.to, step, signal)));
  } : null, [exprs.join('\0'), range.value.from, range.value.to, refreshTick.value, turn]);
  if (error) return <ErrorBox error={error} />;
  if (!data) return loading ? <div class="center"><Spinner /></div> : <Empty icon="metrics" title="Nothing to explain">Write an expression first.</Empty>;
  return <>{data.map((d, i) => <Explanation key={i} expr={exprs.length > 1 ? exprs[i] ?? '' : ''} data={d} />)}</>;
}
