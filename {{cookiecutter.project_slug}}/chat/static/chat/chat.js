// The chat page: sends the question, shows the answer as it arrives, and says plainly how it ended.
// Without this script the form posts by itself and the server renders the answer.
// All that a user may be told stands in templates/chat: in turn.html, and as data of #status.

const form = document.querySelector("#ask");
const prompt = form.elements.prompt;
const send = form.querySelector(".send");
const jump = form.querySelector("#jump");
const transcript = document.querySelector("#transcript");
const conversations = document.querySelector("nav.conversations");
const status = document.querySelector("#status");
const words = status.dataset;
const blank = document.querySelector("#turn").content.firstElementChild;
const copyCode = document.querySelector("#copy-code").content.firstElementChild;

const WHOLE = new Set(["end_turn", "stop_sequence"]); // with any other stop reason an answer is unfinished
const EARLY = new Set(["max_tokens", "model_context_window_exceeded", "pause_turn", "refusal"]); // have notes of their own
const NEAR = 40; // pixels from the end within which the page follows the answer
const LONG = 10; // seconds of waiting from which on the page counts them
const LOOK = 2000; // milliseconds between two looks for an answer that another page asked for

let asking = null; // the AbortController of the question under way
let following = true; // whether the page scrolls along with the answer
let lastScroll = 0;

/** Why there is no whole answer: the name of a note in turn.html, and what the server said. */
class Failure extends Error {
  constructor(note, details) {
    super(note);
    Object.assign(this, { note, status: 0 }, details);
  }
}

// --- The wire ---

/** Asks, hands each event on the way to `show`, and returns {stop_reason, refusal, usage, cost}. Throws a Failure. */
async function receive(question, key, replaces, signal, show) {
  const body = new FormData(form);
  body.set("prompt", question);
  body.set("replaces", replaces);
  body.set("idempotency_key", key); // the server answers, and pays for, each key once
  body.set("format", "html");
  const request = { method: "POST", body, signal, redirect: "error" };
  const response = await fetch(form.dataset.endpoint, request).catch(() => {
    throw new Failure("unreachable");
  });
  const type = response.headers.get("Content-Type") ?? "";
  if (response.ok && type.startsWith("text/event-stream")) {
    for await (const event of events(response.body)) {
      const { error: sentence, status: code, retry_after: wait } = event;
      if (typeof sentence === "string") throw new Failure("error", { sentence, status: code, wait });
      show(event);
      if (event.done) return event;
    }
    throw new Failure("cut");
  }
  const data = type.startsWith("application/json") ? await response.json() : {};
  if (response.ok && typeof data.answer === "string") {
    show({ delta: data.answer, tail: "", blocks: data.html ? [{ block: 0, html: data.html }] : [] });
    return data;
  }
  const note = typeof data.error === "string" ? "error" : String(response.status);
  const wait = Number(response.headers.get("Retry-After")) || 0;
  throw new Failure(note, { sentence: data.error, status: response.status, wait });
}

/** The JSON of each event in a stream. https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(5)); // comments and other fields mean nothing here
        if (line === "" && data.length) {
          yield JSON.parse(data.join("\n"));
          data = [];
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** A random UUID, in which an object URL ends: crypto.randomUUID exists only on HTTPS and on localhost. */
function uuid() {
  return URL.createObjectURL(new Blob()).slice(-36);
}

// --- The answer ---

/** What an element shows of an answer: blocks of HTML, and behind them the text of the line that is still arriving. */
class Answer {
  constructor(element) {
    this.element = element;
    this.text = element.dataset.text; // as Claude wrote it
  }

  clear() {
    this.text = "";
    this.tail = null;
    this.element.replaceChildren();
  }

  add({ delta = "", blocks = [], tail }) {
    this.text += delta;
    if (!this.tail) {
      this.tail = Object.assign(document.createElement("p"), { className: "tail", dir: "auto" });
      this.tail.append("");
      this.element.append(this.tail);
    }
    this.tail.firstChild.appendData(delta);
    if (tail !== undefined) this.tail.firstChild.data = tail;
    for (const update of blocks) this.update(update);
  }

  /** The HTML comes from chat/rendering.py, which lets nothing through that could run or load anything. */
  update({ block: number, keep, html }) {
    const block = this.element.children[number];
    this.tail.classList.toggle("coded", keep !== undefined);
    if (keep !== undefined) {
      const pieces = block.matches("ul, ol") ? block : block.querySelector("tbody, code");
      while (pieces.children[keep]) pieces.lastChild.remove();
      pieces.insertAdjacentHTML("beforeend", html);
    } else {
      this.tail.insertAdjacentHTML("beforebegin", html.trim());
      if (block !== this.tail) block.replaceWith(this.tail.previousElementSibling);
    }
    offerCode(this.element);
  }

  end() {
    if (this.tail?.textContent.trim() === "") this.tail.remove();
    this.tail = null;
    this.element.dataset.text = this.text;
    offerCode(this.element);
    offerCopy(this.element.closest(".turn"), this.text);
  }
}

/** Gives each block of code in an element a button that copies it. */
function offerCode(element) {
  if (!navigator.clipboard) return;
  for (const block of element.querySelectorAll(".code:not(:has(button))")) {
    const button = copyCode.cloneNode(true);
    button.onclick = () => copy(button, block.querySelector("code").textContent);
    block.append(button);
  }
}

// --- The page ---

/** Asks in a new turn, or once more in the turn of a question. What had arrived there stays until there is better. */
async function ask(question, { key = uuid(), turn = blank.cloneNode(true), replaces = "" } = {}) {
  const answer = new Answer(turn.querySelector(".answer"));
  const asked = turn.querySelector(".question");
  if (asked.textContent !== question) answer.clear();
  asked.textContent = question;
  let stale = answer.text;
  const stalePartial = shows(turn, "partial");
  const partial = () => answer.text && (!stale || stalePartial) && "partial";
  for (const element of turn.querySelectorAll("footer > :not(.usage)")) element.hidden = true;
  transcript.append(turn);
  turn.ariaBusy = "true";
  document.body.toggleAttribute("data-busy", true);
  compose();
  status.textContent = words.generating;
  note(turn, "waiting", partial());
  following = true;
  follow();

  let waiting = true; // a note stands where the next text will
  let since = Date.now(); // when the last text came
  const clock = setInterval(() => count(turn, since), 1000);
  const wait = (name) => {
    waiting = true;
    tell(turn, name, stale && partial());
    count(turn, since);
    follow();
  };
  count(turn, since);

  asking = new AbortController();
  const { signal } = asking;
  const outcome = await receive(question, key, replaces, signal, (event) => {
    const { delta, status: sign } = event;
    if (turn.dataset.key !== key) settle(question, turn, key);
    if (sign === "thinking") wait("thinking");
    if (sign === "restart" && answer.text && !stale) {
      answer.clear();
      wait("restart");
    }
    if (delta) {
      if (waiting) note(turn);
      waiting = false;
      if (stale) answer.clear();
      stale = "";
      since = Date.now();
    } else if (!event.blocks?.length) return;
    answer.add(event);
    follow();
  }).catch((problem) => {
    if (signal.aborted) return new Failure("stopped");
    return problem instanceof Failure ? problem : new Failure("cut");
  });
  asking = null;
  clearInterval(clock);

  document.body.toggleAttribute("data-busy", false);
  turn.ariaBusy = null;
  if (outcome instanceof Failure) fail(outcome, question, { key, turn, replaces }, answer.text, partial());
  else {
    if (stale || outcome.stop_reason === "refusal") answer.clear();
    finish(turn, outcome, question, answer.text);
  }
  answer.end();
  follow();
  if (outcome.note === "stopped" && turn.dataset.key === key) look(turn);
}

/** The server has the question: the page is that of its conversation now, and a reload finds it. */
function settle(question, turn, key) {
  turn.dataset.key = key;
  const href = form.dataset.conversation;
  const heading = document.querySelector("h1");
  if (location.pathname !== href) {
    heading.textContent = question.trim().replace(/\s+/g, " ").slice(0, 80);
    document.title = document.title.replace(/^[^·]*/, () => `${heading.textContent} `);
    sessionStorage.removeItem(draft());
    history.replaceState(null, "", href);
    keepDraft();
  }
  let entry = conversations.querySelector("[aria-current]");
  if (!entry) {
    const { textContent } = heading;
    entry = Object.assign(document.createElement("a"), { href, textContent, dir: "auto", ariaCurrent: "page" });
    document.createElement("li").append(entry);
  }
  conversations.querySelector("ul").prepend(entry.parentElement);
  conversations.hidden = false;
}

/** Says how an answer ended, and what it took. */
function finish(turn, { stop_reason: reason, refusal, usage, cost }, question, text) {
  if (refusal) noteOf(turn, "refusal").textContent = refusal;
  if (WHOLE.has(reason)) tell(turn, text.trim() ? "" : "empty");
  else tell(turn, EARLY.has(reason) ? reason : "early", text && "partial");
  offerMore(turn, question, text);
  const took = [usage && tokens(usage), cost && dollars(cost)].filter(Boolean).join(" · ");
  if (took) turn.querySelector(".usage").textContent = took;
}

function tokens(usage) {
  const sum = (...counts) => counts.reduce((total, count) => total + (count ?? 0), 0).toLocaleString();
  const asked = sum(usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens);
  const counts = { asked, answered: sum(usage.output_tokens), thinking: sum(usage.thinking_tokens) };
  const took = usage.thinking_tokens ? words.thought : words.took;
  return took.trim().replace(/{(\w+)}/g, (_, name) => counts[name]);
}

/** To the cent; below ten cents, two digits. */
function dollars({ usd, is_estimated: estimated }) {
  if (usd === null) return words.unknown.trim();
  const places = usd > 0 && usd < 0.1 ? 1 - Math.floor(Math.log10(usd)) : 2;
  const options = { minimumFractionDigits: places, maximumFractionDigits: places, useGrouping: false };
  const amount = Number(usd).toLocaleString(document.documentElement.lang, options);
  return (estimated ? words.estimate : words.cost).trim().replace("{dollars}", amount);
}

/** Says why there is no whole answer, and offers what can be done about it. */
function fail({ note: name, sentence, status: code, wait }, question, request, text, partial) {
  const { turn } = request;
  noteOf(turn, "error").textContent = sentence;
  tell(turn, noteOf(turn, name) ? name : "unexpected", partial);
  const keep = () => sessionStorage.setItem(draft(), question); // for the page that comes next
  if (code === 401) offer(turn, ".sign-in", keep).search = new URLSearchParams({ next: location.pathname });
  if (code === 403 || code === 422) offer(turn, ".reload", keep).href = location.pathname;
  if (code < 400 || [409, 410, 429].includes(code) || code >= 500) {
    // The server may have answered all the same: under the same key that answer comes again, and is not paid for twice.
    // After a stop or a 410 there is none to come: another turn takes its place.
    const known = turn.dataset.key;
    const over = (name === "stopped" && known === request.key) || code === 410;
    const again = offer(turn, ".again", () => asking || ask(question, over ? { turn, replaces: known } : request));
    if (wait) countDown(again, Date.now() + wait * 1000);
  } else keep(); // the server has not
  offerEdit(turn, question, text);
}

/** What can be done about an answer that has ended. */
function offerMore(turn, question, text) {
  const request = { turn, replaces: turn.dataset.key };
  if (!shows(turn, "refusal")) offer(turn, ".regenerate", () => asking || ask(question, request));
  if (shows(turn, "max_tokens")) offer(turn, ".continue", ({ target }) => asking || ask(target.dataset.prompt));
  offerEdit(turn, question, text);
}

function offerEdit(turn, question, text) {
  offer(turn, ".edit", () => {
    if (asking) return;
    if (!text) turn.remove(); // nothing that arrived is lost
    prompt.value = [question, prompt.value].filter(Boolean).join("\n\n");
    replace(turn.dataset.key);
    prompt.focus();
  });
}

function offerCopy(turn, text) {
  if (!text || !navigator.clipboard) return;
  const button = offer(turn, ".copy", () => copy(button, text));
  button.textContent = blank.querySelector(".copy").textContent; // an earlier answer may have been copied
}

/** The next question takes the place of this turn, if it has a key. */
function replace(key) {
  form.elements.replaces.value = key;
  document.querySelector("#replacing").hidden = !key;
}

/** Gives a turn that the server wrote its buttons, and looks again while its answer is still arriving. */
function revive(turn) {
  const answer = new Answer(turn.querySelector(".answer"));
  answer.end();
  turn.querySelector(".ask-again")?.remove();
  if (shows(turn, "waiting")) setTimeout(look, LOOK, turn);
  else offerMore(turn, turn.querySelector(".question").textContent, answer.text);
}

/** Shows what the server has of a turn once its answer has ended; of one that was stopped here only the text and its cost. */
async function look(turn) {
  const page = await load(location.href);
  const fresh = page.querySelector(`[data-key="${turn.dataset.key}"]`);
  if (turn.ariaBusy || (page.title && !fresh)) return;
  const waits = shows(turn, "waiting");
  if (!fresh || (!waits && shows(fresh, "waiting"))) return void setTimeout(look, LOOK, turn);
  const focused = turn.contains(document.activeElement);
  if (waits) {
    turn.replaceWith(fresh);
    revive(fresh);
  } else {
    const answer = fresh.querySelector(".answer");
    turn.querySelector(".answer").replaceWith(answer);
    turn.querySelector(".usage").replaceWith(fresh.querySelector(".usage"));
    new Answer(answer).end();
  }
  if (focused && document.activeElement === document.body) compose();
}

/** A page of ours; an empty one when it cannot be had. */
async function load(address) {
  const html = await fetch(address).then((response) => response.text()).catch(() => "");
  return new DOMParser().parseFromString(html, "text/html");
}

/** Puts earlier questions above those that are here. What is being read stays where it is, with the keyboard. */
async function showEarlier(link) {
  const page = await load(link.href);
  const more = page.querySelectorAll("#transcript > :not(.newest)");
  page.querySelector("#last")?.removeAttribute("id"); // it is not the last here
  if (!more.length) location.assign(link.href); // which says why
  if (!more.length || !link.isConnected) return;
  const first = transcript.querySelector(".turn");
  const { top } = first.getBoundingClientRect();
  link.parentElement.replaceWith(...more);
  for (const element of more) if (element.matches(".turn")) revive(element);
  scrollBy(0, first.getBoundingClientRect().top - top);
  first.tabIndex = -1;
  first.focus({ preventScroll: true });
}

function noteOf(turn, name) {
  return turn.querySelector(`[data-note="${name}"]`);
}

function shows(turn, name) {
  return !noteOf(turn, name).hidden;
}

/** Shows these notes of a turn and no others. */
function note(turn, ...names) {
  for (const element of turn.querySelectorAll("[data-note]")) element.hidden = !names.includes(element.dataset.note);
}

/** Shows these notes, and has a screen reader say them, but not twice in a row. */
function tell(turn, ...names) {
  note(turn, ...names);
  const shown = turn.querySelectorAll("[data-note]:not([hidden])");
  const said = Array.from(shown, (element) => element.textContent.trim()).join(" ") || words.complete;
  if (status.textContent !== said) status.textContent = said;
}

/** Shows beside the notes of waiting how long no text has come. */
function count(turn, since) {
  const waited = Math.floor((Date.now() - since) / 1000);
  const said = waited < LONG ? "" : words.waited.replace("{seconds}", waited);
  for (const element of turn.querySelectorAll(".working")) element.dataset.waited = said;
}

function offer(turn, selector, action) {
  const element = turn.querySelector(selector);
  element.hidden = false;
  element.onclick = action; // and not what was offered before the question was asked once more
  return element;
}

function countDown(button, until, label = button.textContent) {
  const left = Math.ceil((until - Date.now()) / 1000);
  button.disabled = left > 0;
  button.textContent = left > 0 ? words.again.replace("{seconds}", left) : label;
  if (left > 0) setTimeout(countDown, 1000, button, until, label);
}

async function copy(button, text) {
  const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
  button.textContent = status.textContent = copied ? words.copied : words.denied;
}

// --- Following the answer ---

let scheduled = 0; // once a frame: each look at the page has it laid out

function follow() {
  scheduled ||= requestAnimationFrame(() => {
    scheduled = 0;
    if (following) {
      scrollTo(0, document.documentElement.scrollHeight);
      lastScroll = scrollY;
    }
    jump.hidden = below() < NEAR;
  });
}

/** How many pixels of the page are below the window. */
function below() {
  return document.documentElement.scrollHeight - innerHeight - scrollY;
}

jump.onclick = () => {
  following = true;
  follow();
  compose();
};

window.onscroll = () => {
  jump.hidden = below() < NEAR;
  // The first movement upwards lets go. A page that got shorter moves, too, but stays at its end.
  if (scrollY < lastScroll && below() > 2) following = false;
  if (scrollY > lastScroll && jump.hidden) following = true;
  lastScroll = scrollY;
};

// --- The form ---

/** Puts the cursor where the next question goes, or beside it where a keyboard would slide over the answer. */
function compose() {
  const touch = matchMedia("(pointer: coarse)").matches && document.activeElement !== prompt;
  (touch ? send : prompt).focus({ preventScroll: true });
}

/** Where the question that is being typed is kept: every conversation of every user has its own. */
function draft() {
  return `draft ${form.dataset.user} ${location.pathname}`;
}

function keepDraft() {
  if (!form.elements.replaces.value) sessionStorage.setItem(draft(), prompt.value);
}

form.onsubmit = (event) => {
  if ("older" in transcript.dataset) return; // the server answers, and shows the newest questions
  event.preventDefault();
  const question = prompt.value;
  if (asking || !question.trim()) return;
  const replaces = form.elements.replaces.value;
  const turn = (replaces && transcript.querySelector(`[data-key="${replaces}"]`)) || undefined;
  prompt.value = "";
  replace("");
  keepDraft();
  ask(question, { turn, replaces });
};

prompt.oninput = keepDraft;
prompt.autocomplete = "off"; // the browser would show it to whoever signs in next

document.querySelector("#replacing a").onclick = (event) => {
  event.preventDefault();
  replace("");
  prompt.value = sessionStorage.getItem(draft()) ?? "";
  prompt.focus();
};

prompt.onkeydown = (event) => {
  // 229: an input method is still composing a character, and Enter confirms it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  if (!asking) form.requestSubmit();
};

// While an answer arrives the same button stops it. The second click of a double click does not count.
send.onclick = (event) => {
  if (!asking) return;
  event.preventDefault();
  if (event.detail < 2) asking.abort();
  compose();
};

document.onkeydown = (event) => {
  if (event.key === "Escape" && !event.isComposing) asking?.abort();
};

transcript.onclick = (event) => {
  const link = event.target.closest(".earlier a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  showEarlier(link);
};

document.querySelector("#keys").hidden = false;

prompt.value ||= sessionStorage.getItem(draft()) ?? "";
for (const turn of transcript.querySelectorAll(".turn")) revive(turn);
if (location.hash !== "#last") follow();
