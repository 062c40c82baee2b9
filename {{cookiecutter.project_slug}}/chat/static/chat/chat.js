// The chat page: sends the question, shows the answer as it arrives, and says plainly how it ended.
// Without this script the form posts by itself and the server renders the answer.
// What a user may be told stands in templates/chat/turn.html.

const form = document.querySelector("#ask");
const prompt = form.elements.prompt;
const send = form.querySelector(".send");
const transcript = document.querySelector("#transcript");
const status = document.querySelector("#status");
const blank = document.querySelector("#turn").content.firstElementChild;

const WHOLE = new Set(["end_turn", "stop_sequence"]); // with any other stop reason an answer is unfinished
const EARLY = new Set(["max_tokens", "model_context_window_exceeded", "pause_turn", "refusal"]); // have notes of their own
const NEAR = 40; // pixels from the bottom within which the page follows the answer
const LONG = 10; // seconds of waiting from which on the page counts them

let asking = null; // the AbortController of the question under way
let following = true; // whether the page scrolls along with the answer
let lastScroll = 0;

/** Why there is no whole answer: the name of a note in turn.html, and what the server said. */
class Failure extends Error {
  constructor(note, { sentence = "", status = 0, wait = 0 } = {}) {
    super(note);
    Object.assign(this, { note, sentence, status, wait });
  }
}

// --- The wire -----------------------------------------------------------------------------------

/** Asks, hands each event on the way to `show`, and returns {stop_reason, refusal, usage}. Throws a Failure. */
async function receive(question, key, signal, show) {
  const body = new FormData(form);
  body.set("prompt", question);
  body.set("idempotency_key", key); // the server answers, and pays for, each key once
  const headers = { Accept: "text/event-stream, application/json" };
  let response;
  try {
    response = await fetch(form.dataset.endpoint, { method: "POST", body, headers, signal, redirect: "error" });
  } catch {
    throw new Failure("unreachable");
  }
  const type = response.headers.get("Content-Type") ?? "";
  if (response.ok && type.startsWith("text/event-stream")) {
    for await (const event of events(response.body)) {
      const { error: sentence, status: code, retry_after: wait } = event;
      if (typeof sentence === "string") throw new Failure("error", { sentence, status: code, wait });
      if (event.done) return event;
      show(event);
    }
    throw new Failure("cut");
  }
  const data = type.startsWith("application/json") ? await response.json() : {};
  if (response.ok && typeof data.answer === "string") {
    show({ delta: data.answer });
    return data;
  }
  const { status: code, headers: responseHeaders } = response;
  const note = typeof data.error === "string" ? "error" : String(code);
  throw new Failure(note, { sentence: data.error, status: code, wait: seconds(responseHeaders.get("Retry-After")) });
}

/** The JSON of each event in a stream. https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder(); // keeps half a character until its other half arrives
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines.map((text) => text.replace(/\r$/, ""))) {
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

/** Retry-After, a number of seconds or a date, as seconds from now. */
function seconds(header) {
  const wait = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return wait > 0 ? Math.ceil(wait) : 0;
}

/** crypto.randomUUID exists only on HTTPS and on localhost. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// --- The page -----------------------------------------------------------------------------------

/** Asks in a new turn, or once more in the turn of a question. What had arrived there stays until there is better. */
async function ask(question, key = uuid(), turn = blank.cloneNode(true)) {
  const answer = turn.querySelector(".answer");
  const text = answer.firstChild ?? answer.appendChild(document.createTextNode(""));
  let stale = text.data;
  turn.querySelector(".question").textContent = question;
  for (const element of turn.querySelectorAll("footer > :not(.usage)")) element.hidden = true;
  transcript.append(turn);
  turn.setAttribute("aria-busy", "true");
  document.body.toggleAttribute("data-busy", true);
  compose();
  status.textContent = "Generating";
  note(turn, "waiting", stale && "partial");
  following = true;
  follow();

  let waiting = true; // a note stands where the next text will
  let since = Date.now(); // when the last text came
  const clock = setInterval(() => count(turn, since), 1000);
  const wait = (name) => {
    waiting = true;
    tell(turn, name, stale && "partial");
    count(turn, since);
    follow();
  };
  count(turn, since);

  asking = new AbortController();
  const { signal } = asking;
  const outcome = await receive(question, key, signal, ({ delta, status: sign }) => {
    if (sign === "thinking") wait("thinking");
    if (sign === "restart" && text.data && !stale) {
      text.data = "";
      wait("restart");
    }
    if (typeof delta !== "string" || delta === "") return;
    if (waiting) note(turn);
    waiting = false;
    if (stale) stale = text.data = "";
    since = Date.now();
    text.appendData(delta);
    follow();
  }).catch((problem) => {
    if (signal.aborted) return new Failure("stopped");
    return problem instanceof Failure ? problem : new Failure("cut");
  });
  asking = null;
  clearInterval(clock);

  document.body.toggleAttribute("data-busy", false);
  turn.removeAttribute("aria-busy");
  if (outcome instanceof Failure) fail(turn, outcome, question, key, text.data);
  else {
    if (stale || outcome.stop_reason === "refusal") text.data = "";
    finish(turn, outcome, question, text.data);
  }
  if (text.data && navigator.clipboard) {
    offer(turn, ".copy", (event) => copy(event.target, text.data)).textContent = "Copy answer";
  }
  follow();
}

/** Says how an answer ended, and what it took. */
function finish(turn, { stop_reason: reason, refusal, usage }, question, text) {
  if (refusal) turn.querySelector('[data-note="refusal"]').textContent = refusal;
  if (WHOLE.has(reason)) tell(turn, text ? "" : "empty");
  else tell(turn, EARLY.has(reason) ? reason : "early", text && "partial");
  if (!WHOLE.has(reason) || !text) offerEdit(turn, question, text);
  if (!usage) return;
  const sum = (...counts) => counts.reduce((total, count) => total + (count ?? 0), 0).toLocaleString();
  const asked = sum(usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens);
  const thinking = usage.thinking_tokens ? `, ${sum(usage.thinking_tokens)} of them thinking` : "";
  turn.querySelector(".usage").textContent = `${asked} tokens in, ${sum(usage.output_tokens)} out${thinking}`;
}

/** Says why there is no whole answer, and offers what can be done about it. */
function fail(turn, { note: name, sentence, status: code, wait }, question, key, text) {
  turn.querySelector('[data-note="error"]').textContent = sentence;
  tell(turn, has(turn, name) ? name : "unexpected", text && "partial");
  const keep = () => sessionStorage.setItem("question", question); // for the page that comes next
  if (code === 401) offer(turn, ".sign-in", keep);
  if (code === 403) offer(turn, ".reload", keep);
  if (code < 400 || [409, 410, 429].includes(code) || code >= 500) {
    // The server may have answered all the same: under the same key that answer comes again, and is not paid for twice.
    // After a stop nobody waits for it, and 410 says that it could not be kept.
    const over = name === "stopped" || code === 410;
    const again = offer(turn, ".again", () => asking || ask(question, over ? undefined : key, turn));
    if (wait) countDown(again, Date.now() + wait * 1000);
  }
  offerEdit(turn, question, text);
}

function offerEdit(turn, question, text) {
  offer(turn, ".edit", () => {
    if (!text) turn.remove(); // nothing that arrived is lost
    prompt.value = [question, prompt.value].filter(Boolean).join("\n\n");
    prompt.focus();
  });
}

function has(turn, name) {
  return turn.querySelector(`[data-note="${CSS.escape(name)}"]`) !== null;
}

/** Shows these notes of a turn and no others. */
function note(turn, ...names) {
  for (const element of turn.querySelectorAll("[data-note]")) element.hidden = !names.includes(element.dataset.note);
}

/** Shows these notes, and has a screen reader say them: once, however often Claude begins to think. */
function tell(turn, ...names) {
  note(turn, ...names);
  const shown = Array.from(turn.querySelectorAll("[data-note]:not([hidden])"), (element) => element.textContent.trim());
  const words = shown.join(" ") || "Answer complete";
  if (status.textContent !== words) status.textContent = words;
}

/** Shows beside the notes of waiting for how many seconds no text has come, once they are many. */
function count(turn, since) {
  const waited = Math.floor((Date.now() - since) / 1000);
  for (const element of turn.querySelectorAll(".working")) element.dataset.waited = waited < LONG ? "" : `${waited} s`;
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
  button.textContent = left > 0 ? `${label} in ${left} s` : label;
  if (left > 0) setTimeout(countDown, 1000, button, until, label);
}

async function copy(button, text) {
  const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
  button.textContent = status.textContent = copied ? "Copied" : "Copying is not allowed";
}

// --- Following the answer -----------------------------------------------------------------------

function follow() {
  requestAnimationFrame(() => {
    if (!following) return;
    window.scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    lastScroll = window.scrollY;
  });
}

window.addEventListener("scroll", () => {
  const near = document.documentElement.scrollHeight - window.innerHeight - window.scrollY < NEAR;
  if (near && window.scrollY > lastScroll) following = true;
  if (!near && window.scrollY < lastScroll) following = false;
  lastScroll = window.scrollY;
});

// The first movement upwards lets go at once, while the page is still near the bottom.
let touched = 0;
window.addEventListener("wheel", (event) => event.deltaY < 0 && (following = false), { passive: true });
window.addEventListener("touchstart", (event) => (touched = event.touches[0].clientY), { passive: true });
window.addEventListener("touchmove", (event) => event.touches[0].clientY > touched && (following = false), {
  passive: true,
});

// --- The form -----------------------------------------------------------------------------------

/** Puts the cursor where the next question goes, except where a keyboard would slide over the answer. */
function compose() {
  if (!matchMedia("(pointer: coarse)").matches) prompt.focus({ preventScroll: true });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = prompt.value;
  if (asking || !question.trim()) return;
  prompt.value = "";
  ask(question);
});

prompt.addEventListener("keydown", (event) => {
  // 229: an input method is still composing a character, and Enter confirms it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  if (!asking) form.requestSubmit();
});

// While an answer arrives the same button stops it. The second click of a double click does not count.
send.addEventListener("click", (event) => {
  if (!asking) return;
  event.preventDefault();
  if (event.detail < 2) asking.abort();
  compose();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) asking?.abort();
});

document.querySelector("#keys").hidden = false;

// A question that was waiting for its user to sign in.
prompt.value ||= sessionStorage.getItem("question") ?? "";
sessionStorage.removeItem("question");
