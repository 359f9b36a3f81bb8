// Renders openapi.json and sends the calls that it describes. The key lives in the field above and nowhere else.

const find = (id) => document.getElementById(id);

// --- Making elements ---

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return made;
}

// Paragraphs, with `code` between backticks.
function words(text) {
  const paragraph = (part) => el("p", {}, part.split("`").map((piece, at) => (at % 2 ? el("code", {}, piece) : piece)));
  return (text ?? "").split("\n\n").filter(Boolean).map(paragraph);
}

const inline = (text) => words(text).flatMap((paragraph) => [...paragraph.childNodes, " "]);
const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function rows(heads, lines) {
  const head = el("tr", {}, heads.map((text) => el("th", { scope: "col" }, text)));
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head), el("tbody", {}, lines)));
}

let count = 0;
function field(label, control) {
  control.id = `field-${(count += 1)}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

// --- Ids and times of now, so that an example can be sent as it stands ---

function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const session = { id: uuid(), seq: 0 };
const nextSeq = () => (session.seq += 1) - 1;
const now = () => new Date().toISOString();
const fresh = {
  event_id: uuid, id: uuid, "ce-id": uuid, batch_id: uuid,
  session_id: () => session.id, sessionid: () => session.id, "ce-sessionid": () => session.id,
  timestamp: now, time: now, "ce-time": now, sent_at: now,
  seq: nextSeq, "ce-seq": () => String(nextSeq()),
};

// JSON objects have no order; this is the one that people read.
const ORDER = [
  "specversion", "id", "source", "type", "batch_id", "event_id", "session_id", "subject", "sessionid", "player_id", "seq", "event_type",
  "timestamp", "time", "datacontenttype", "sent_at", "app_version", "game_id", "events", "data",
];
const rank = (name) => (ORDER.indexOf(name) + 1 || ORDER.length - 0.5);
const inOrder = (entries) => entries.sort(([one], [other]) => rank(one) - rank(other));

function refreshed(value) {
  if (Array.isArray(value)) return value.map(refreshed);
  if (value === null || typeof value !== "object") return value;
  const member = ([name, held]) => [name, name === "data" ? held : fresh[name] ? fresh[name]() : refreshed(held)];
  return Object.fromEntries(inOrder(Object.entries(value)).map(member));
}

function refreshedText(text) {
  try {
    return JSON.stringify(refreshed(JSON.parse(text)), null, 2);
  } catch {
    const line = (one) => (one.trim() ? JSON.stringify(refreshed(JSON.parse(one))) : one);
    try {
      return text.split("\n").map(line).join("\n");
    } catch {
      return text;
    }
  }
}

// --- The document ---

let api = {};

function resolve(schema) {
  let found = schema;
  while (found?.$ref) found = found.$ref.slice(2).split("/").reduce((at, name) => at?.[name], api);
  return found ?? {};
}

function typeOf(rule) {
  const resolved = resolve(rule);
  if ("const" in resolved) return JSON.stringify(resolved.const);
  if (resolved.enum) return resolved.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (resolved.anyOf) return resolved.anyOf.map(typeOf).join(" | ");
  const type = [resolved.type ?? "any"].flat().filter((word) => word !== "null").join(" | ");
  return resolved.items ? `${type} of ${typeOf(resolved.items)}` : resolved.format ? `${type}, ${resolved.format}` : type;
}

function bounds(rule) {
  const told = { minimum: "from", maximum: "to", exclusiveMinimum: "above", exclusiveMaximum: "below", minLength: "characters from", maxLength: "characters to", minItems: "elements from", maxItems: "elements to" };
  const resolved = resolve(rule);
  return Object.entries(told).filter(([name]) => name in resolved).map(([name, word]) => `${word} ${resolved[name]}`).join(", ");
}

function members(schema) {
  const { properties, required } = resolve(schema);
  const line = ([name, rule]) =>
    el("tr", {},
      el("th", { scope: "row" }, el("code", {}, name), " ", required?.includes(name) ? undefined : el("span", { class: "needed" }, "optional")),
      el("td", {}, el("code", {}, typeOf(rule)), " ", el("span", { class: "needed" }, bounds(rule))),
      el("td", {}, inline(rule.description ?? resolve(rule).description)));
  const lines = inOrder(Object.entries(properties ?? {})).map(line);
  return lines.length ? rows(["Field", "Type", "Meaning"], lines) : el("p", {}, "No fields of its own.");
}

function sample(rule, name) {
  const resolved = resolve(rule);
  if ("const" in resolved) return resolved.const;
  if (resolved.enum) return resolved.enum[0];
  if (resolved.examples?.length) return resolved.examples[0];
  if (resolved.anyOf || resolved.oneOf) return sample((resolved.anyOf ?? resolved.oneOf)[0], name);
  const type = [resolved.type ?? "object"].flat()[0];
  if (type === "object") {
    const wanted = resolved.required ?? [];
    return Object.fromEntries(wanted.map((one) => [one, sample(resolved.properties?.[one] ?? {}, one)]));
  }
  if (type === "string") return name?.endsWith("_id") ? "L07" : "text";
  if (type === "boolean") return false;
  if (type === "array") return [];
  return Math.max(resolved.minimum ?? 1, (resolved.exclusiveMinimum ?? 0) + 1);
}

// --- Sending ---

function credentials(url, headers) {
  const key = find("key").value.trim();
  if (!key) return;
  const place = find("place").value;
  if (place === "bearer") headers.set("Authorization", `Bearer ${key}`);
  else if (place === "header") headers.set("X-API-Key", key);
  else url.searchParams.set("key", key);
}

async function encoded(text, headers) {
  const named = headers.get("Content-Encoding");
  if (!named || named === "identity") return text;
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream(named));
  return new Response(stream).blob();
}

const kind = (status) => (status < 300 && status !== 207 ? "good" : status < 500 && status !== 429 && status >= 400 ? "bad" : "warn");

async function send(call, request, into) {
  const begun = performance.now();
  into.replaceChildren(el("p", {}, "Sending…"));
  try {
    const url = new URL(request.path, document.baseURI);
    for (const [name, value] of request.query) url.searchParams.set(name, value);
    const headers = new Headers(request.headers);
    if (call.security.length) credentials(url, headers);
    const options = { method: call.method.toUpperCase(), headers, credentials: "omit", cache: "no-store", redirect: "error" };
    if (request.body !== undefined) {
      const body = await encoded(request.body, headers);
      // A stream's own type would stand before the one that was chosen.
      options.body = typeof body === "string" ? body : await body.arrayBuffer();
    }
    const response = await fetch(url, options);
    const text = await response.text();
    show(response, text, performance.now() - begun, into);
  } catch (error) {
    into.replaceChildren(el("p", {}, el("span", { class: "badge bad" }, "Not sent"), ` ${error.message}. Is the gateway still there?`));
  }
}

function show(response, text, took, into) {
  const media = response.headers.get("content-type") ?? "";
  let body = text;
  if (media.includes("json")) {
    try {
      body = pretty(JSON.parse(text));
    } catch {
      // Shown as it came.
    }
  }
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  into.replaceChildren(
    el("p", {}, el("span", { class: `badge ${kind(response.status)}`, "data-status": response.status }, `${response.status} ${response.statusText}`.trim()), ` in ${Math.round(took)} ms`),
    el("h4", {}, "Headers"), el("pre", { class: "told-headers", tabindex: "0", "aria-label": "Headers of the answer" }, headers),
    el("h4", {}, "Body"), el("pre", { class: "told-body", tabindex: "0", "aria-label": "Body of the answer" }, body || "(empty)"));
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(call, request) {
  const query = request.query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const lines = [];
  if (call.security.length) {
    const place = find("place").value;
    if (place === "query") query.push("key=$KEY");
    else lines.push(place === "bearer" ? '-H "Authorization: Bearer $KEY"' : '-H "X-API-Key: $KEY"');
  }
  const url = new URL(request.path, document.baseURI).href + (query.length ? `?${query.join("&")}` : "");
  for (const [name, value] of request.headers) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (request.body !== undefined) lines.push(`--data-binary ${quoted(request.body)}`);
  return [`curl -si "${url}"`, ...lines].join(" \\\n  ");
}

// --- One call ---

// The ways in which a call's body can be written.
function forms(call) {
  const content = Object.entries(call.requestBody?.content ?? {});
  const own = content.flatMap(([media, { examples, schema }]) =>
    Object.values(examples ?? {}).map(({ summary, value }) => ({ title: `${summary} (${media})`, media, headers: {}, value, schema })));
  // The gateway's own form first; the others as they come.
  own.sort((a, b) => (b.media === "application/json") - (a.media === "application/json"));
  const binary = call["x-cloudevent-binary"];
  if (binary) own.push({ title: `${binary.summary} (application/json)`, media: "application/json", headers: binary.headers, value: binary.value, schema: {} });
  return own;
}

function control(parameter) {
  const rule = resolve(parameter.schema);
  const name = parameter.name;
  if (name === "Content-Encoding") return choice(["", "gzip", "deflate"]);
  if (rule.enum) return choice(["", ...rule.enum]);
  if (rule.type === "boolean") return choice(["", "true", "false"]);
  const given = parameter.in === "path" ? (fresh[name]?.() ?? parameter.example) : "";
  return el("input", { value: given, spellcheck: "false", autocomplete: "off" });
}

const choice = (options) => el("select", {}, options.map((word) => el("option", { value: word }, word || "—")));

function attempt(call) {
  const ways = forms(call);
  const parameters = call.parameters.map(resolve).filter(({ name }) => !name.startsWith("ce-"));
  const inputs = parameters.map((parameter) => ({ parameter, input: control(parameter) }));
  const shown = (place) => inputs.filter(({ parameter }) => parameter.in === place).map(({ parameter, input }) => field(parameter.name, input));
  const body = el("textarea", { rows: 12, spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
  const way = el("select", {}, ways.map(({ title }, at) => el("option", { value: at }, title)));
  const extra = el("textarea", { rows: 3, spellcheck: "false", autocomplete: "off" });
  const extraField = field("Further headers, one a line", extra);
  const mapping = resolve(ways[0]?.schema).discriminator?.mapping;
  const type = mapping && choice(["", ...Object.keys(mapping)]);
  const chosen = () => ways[Number(way.value)];
  const fill = () => {
    const { value, headers } = chosen();
    body.value = refreshedText(pretty(value));
    extra.value = Object.entries(refreshed(headers)).map(([name, told]) => `${name}: ${told}`).join("\n");
  };
  const fillType = () => {
    if (!type.value) return;
    way.value = "0";
    const made = { ...chosen().value, event_type: type.value, data: sample({ $ref: `#/components/schemas/data.${type.value}` }) };
    body.value = refreshedText(pretty(made));
    extra.value = "";
  };
  const request = () => {
    const filled = (place) => inputs.filter(({ parameter, input }) => parameter.in === place && input.value !== "").map(({ parameter, input }) => [parameter.name, input.value]);
    const headers = filled("header");
    if (ways.length) headers.unshift(["Content-Type", chosen().media]);
    for (const line of extra.value.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) headers.push([line.slice(0, at).trim(), line.slice(at + 1).trim()]);
    }
    const path = filled("path").reduce((text, [name, value]) => text.replace(`{${name}}`, encodeURIComponent(value)), call.path);
    return { path: path.slice(1), query: filled("query"), headers, body: ways.length ? body.value : undefined };
  };
  const answer = el("div", { class: "answer", "aria-live": "polite" });
  const button = el("button", { class: "button", type: "submit" }, "Send");
  const asCurl = el("pre", { tabindex: "0", "aria-label": "The same call with curl" });
  const form = el("form", { class: "try", autocomplete: "off" },
    el("h4", {}, "Try it"),
    ways.length ? el("div", { class: "fields" }, field("Form", way), type && field("Event type", type)) : undefined,
    ways.length ? field("Body", body) : undefined,
    el("div", { class: "fields" }, shown("path"), shown("query")),
    el("details", {}, el("summary", {}, "Headers"), el("div", { class: "fields" }, shown("header")), ways.length ? extraField : undefined),
    el("div", { class: "buttons" }, button, ways.length ? el("button", { class: "button plain", type: "button", onclick: () => (body.value = refreshedText(body.value)) }, "New ids and times") : undefined),
    answer,
    el("details", { ontoggle: () => (asCurl.textContent = curl(call, request())) }, el("summary", {}, "As curl"), asCurl));
  way.addEventListener("change", fill);
  type?.addEventListener("change", fillType);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await send(call, request(), answer);
    button.disabled = false;
    asCurl.textContent = curl(call, request());
  });
  if (ways.length) fill();
  return form;
}

function parameterTable(call) {
  const line = (parameter) =>
    el("tr", {},
      el("th", { scope: "row" }, el("code", {}, parameter.name), " ", el("span", { class: "needed" }, parameter.required ? `${parameter.in}, required` : parameter.in)),
      el("td", {}, el("code", {}, typeOf(parameter.schema)), " ", el("span", { class: "needed" }, bounds(parameter.schema))),
      el("td", {}, inline(parameter.description)));
  return rows(["Name", "Type", "Meaning"], call.parameters.map(resolve).map(line));
}

function responseList(call) {
  return Object.entries(call.responses).map(([status, response]) => {
    const examples = Object.entries(response.content ?? {}).flatMap(([media, { example, examples: all }]) =>
      [...Object.values(all ?? {}).map(({ value }) => value), ...(example === undefined ? [] : [example])].map((value) =>
        el("details", {}, el("summary", {}, value?.code ? `${media}: ${value.code}` : media), el("pre", { tabindex: "0", "aria-label": `Example of an answer ${status}` }, pretty(value)))));
    const headers = Object.keys(response.headers ?? {});
    return el("div", { class: "response" },
      el("div", { class: "line" }, el("span", { class: `badge ${kind(Number(status))}` }, status)),
      words(response.description),
      el("p", { class: "needed" }, "Headers: ", headers.map((name, at) => [at ? ", " : "", el("code", {}, name)]).flat()),
      examples);
  });
}

function section(call) {
  const body = call.requestBody;
  return el("section", { class: "card", id: call.operationId },
    el("div", { class: "line" }, el("span", { class: "badge" }, call.method.toUpperCase()), el("h3", {}, call.summary), el("span", { class: "path" }, call.path)),
    words(call.description),
    body && el("details", {}, el("summary", {}, "Body"), words(body.description), el("p", {}, el("a", { href: "#event-types" }, "Event types"), " tells the fields of events."),
      Object.entries(body.content).filter(([, { schema }]) => resolve(schema).properties).map(([media, { schema }]) => [el("p", {}, el("code", {}, media)), members(schema)])),
    el("details", {}, el("summary", {}, "Parameters"), parameterTable(call)),
    el("details", {}, el("summary", {}, "Answers"), responseList(call)),
    attempt(call));
}

// --- Chapters ---

function calls() {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }))).sort((a, b) => a["x-order"] - b["x-order"]);
}

function chapter(id, title, about, content) {
  return el("section", { id }, el("h2", {}, title), el("p", { class: "chapter-about" }, inline(about)), content);
}

function eventTypes() {
  const { mapping } = api.components.schemas.Event.discriminator;
  const one = (name) => {
    const data = resolve({ $ref: `#/components/schemas/data.${name}` });
    return el("details", { class: "card", id: `type-${name}` }, el("summary", {}, el("h3", {}, el("code", {}, name)), data.title ? ` ${data.title}` : ""), words(data.description), members(data));
  };
  const any = resolve({ $ref: mapping["session.heartbeat"] });
  const own = { event_type: { ...any.properties.event_type }, data: { type: "object", description: "What the type says, as below; at most 10 KB." } };
  delete own.event_type.const;
  const around = { required: any.required, properties: { ...any.properties, ...own } };
  return [el("details", { class: "card", open: true }, el("summary", {}, el("h3", {}, "What every event has")), members(around)), Object.keys(mapping).map(one)];
}

function errorTable(title, name, prefix, status) {
  const rule = api.components.schemas[name];
  const line = (word, at) =>
    el("tr", { id: `${prefix}-${word}` },
      el("th", { scope: "row" }, el("code", {}, word), status ? ` ${status(word)}` : ""),
      el("td", {}, inline(rule["x-enum-descriptions"][at])),
      el("td", {}, inline(rule["x-enum-mends"][at])));
  return el("div", { class: "card" }, el("h3", {}, title), rows(["Code", "Cause", "Mend"], rule.enum.map(line)));
}

function errors() {
  const statuses = Object.entries(api.components.schemas).filter(([name]) => name.startsWith("problem."));
  const status = (word) => statuses.find(([, schema]) => schema.allOf[1].properties.code.enum.includes(word))?.[0].slice("problem.".length);
  return [
    errorTable("Of a request as a whole", "Code", "code", status),
    errorTable("Of one event, in results", "EventCode", "event"),
    errorTable("Of one field, in errors", "FieldCode", "field"),
  ];
}

function render() {
  const all = calls();
  const chapters = [
    ...api.tags.map((tag) => ({ id: tag.name.toLowerCase(), title: tag.name, about: tag.description, calls: all.filter(({ tags }) => tags.includes(tag.name)) })),
    { id: "event-types", title: "Event types", about: "What `data` may hold, type by type. Unknown fields pass and are kept; null in an optional field is as if it were absent.", make: eventTypes },
    { id: "errors", title: "Errors", about: "Every code, what it means, and what to do.", make: errors },
  ];
  find("about").replaceChildren(...words(api.info.description));
  find("chapters").replaceChildren(...chapters.map(({ id, title, about, calls: own, make }) => chapter(id, title, about, own ? own.map(section) : make())));
  const link = (id, text) => el("li", {}, el("a", { href: `#${id}` }, text));
  const listed = chapters.filter((one) => one.calls).flatMap((one) => [el("p", {}, one.title), el("ul", {}, one.calls.map((call) => link(call.operationId, call.summary)))]);
  find("contents").replaceChildren(...listed, el("p", {}, "Reference"), el("ul", {}, link("event-types", "Event types"), link("errors", "Errors")));
}

async function load() {
  const url = new URL("openapi.json", document.baseURI);
  const headers = new Headers();
  credentials(url, headers);
  return fetch(url, { headers, credentials: "omit", cache: "no-cache" });
}

const say = (text) => (find("said").textContent = text);

find("credential").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const response = await load();
    const told = await response.json();
    if (!response.ok) return say(`${response.status}: ${told.detail}`);
    const before = api.components.schemas.Event.oneOf.length;
    api = told;
    // What is typed into the forms below stays, unless there is something new to show.
    if (api.components.schemas.Event.oneOf.length !== before) render();
    say(find("key").value ? "The key is good; it goes with every call below." : "No key goes with the calls below.");
  } catch (error) {
    say(`The gateway does not answer: ${error.message}`);
  }
});

try {
  const response = await load();
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  api = await response.json();
  render();
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
} catch (error) {
  find("about").replaceChildren(el("p", {}, `The description could not be read: ${error.message}. Load the page again.`));
}
