// What is left of budgets, and what models used and cost day by day.
import { useAsked, Chart, Table, Time, Wrong, html } from "../ui.js";

const COLOURS = [["--link", undefined, ""], ["--bad", [6, 4], "bad"], ["--warn", [2, 3], "warn"]];

export const Budgets = () => {
  const { value, error, again } = useAsked("/admin/v1/budgets?limit=200");
  const usage = useAsked("/admin/v1/usage?days=14");
  return html`
    <${Wrong} error=${error} />
    <${Table} label="Budgets, those with the least left first" rows=${value ? value.items : []} empty="Nothing was spent of a budget in a window that is open." columns=${[
      ["Budget", (one) => one.budget],
      ["Whose", (one) => one.whose || "everyone"],
      ["Gone", (one) => html`<meter min="0" max="1000" high="800" value=${Math.min(one.gone, 1000)} aria-label=${`${one.budget}, ${one.whose || "everyone"}`}></meter> ${Math.floor(one.gone / 10)} %`],
      ["Used", (one) => one.used],
      ["Reserved", (one) => one.reserved],
      ["Left", (one) => `${one.left} of ${one.limit} ${one.unit}`],
      ["Full again", (one) => html`<${Time} at=${one.ends} whole />`],
    ]} />
    <div class="bar"><button type="button" onClick=${() => { again(); usage.again(); }}>Again</button></div>
    <p class="quiet">Reserved is what requests in flight on this node may cost at most; what they do not use goes back.</p>
    <${Wrong} error=${usage.error} />
    ${usage.value ? html`<${Usage} of=${usage.value} />` : null}`;
};

const total = (days, name) => days.reduce((sum, day) => sum + (day[name] ?? 0), 0);
const whole = new Intl.NumberFormat();

const Usage = ({ of }) => {
  const times = of.days.map((day) => new Date(`${day}T00:00:00Z`).getTime() / 1000);
  const most = of.models.slice(0, COLOURS.length);
  const rows = of.models.flatMap((model) => model.days.map((day, at) => ({ ...day, model: model.model, day: of.days[at] })))
    .filter((row) => row.asked).sort((a, b) => b.day.localeCompare(a.day) || b.input_tokens + b.output_tokens - a.input_tokens - a.output_tokens);
  const cost = of.models.reduce((sum, model) => sum + total(model.days, "cost"), 0);
  return html`
    <h2>Tokens by model and day</h2>
    <p class="quiet" role="status">${of.since ? html`Of requests at hand on this node, since <${Time} at=${of.since} whole />; days are UTC.` : "No requests are at hand."}
      ${cost ? ` They cost ${cost.toFixed(2)}, as far as models have a price.` : ""}</p>
    ${most.length ? html`<${Chart} title="Tokens a day" times=${times} unit="" series=${most.map((model, at) => ({
      name: model.model, values: model.days.map((day) => day.input_tokens + day.output_tokens),
      colour: COLOURS[at][0], dash: COLOURS[at][1], mark: COLOURS[at][2],
    }))} />` : null}
    <${Table} label="Tokens by model and day, newest first" rows=${rows.slice(0, 200)} empty="Nothing was asked." columns=${[
      ["Day", (row) => row.day],
      ["Model", (row) => row.model],
      ["Requests", (row) => whole.format(row.asked)],
      ["Tokens in", (row) => whole.format(row.input_tokens)],
      ["Tokens out", (row) => whole.format(row.output_tokens)],
      ["Cost", (row) => (row.cost === undefined ? "-" : row.cost.toFixed(2))],
    ]} />
    ${of.others ? html`<p class="quiet">${of.others} more names of models were asked for.</p>` : null}`;
};
