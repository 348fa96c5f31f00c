// Searches the list of a page, opens the log that an address names, and keeps a page that is served up to date.
"use strict";

(() => {
  const STEP = 200; // rows that are shown at once: more of them make a page slow
  const PULSE_MS = 2000;
  const root = document.body.dataset.root;
  let rows = null;
  let shown = 0;
  let found = [];

  // Called by the file of data: a script, since a page that lies in a folder may read nothing else.
  window.octossh_rows = (given) => { rows = given; };

  const text = (cell) => (Array.isArray(cell) ? cell[0] : cell);

  function cell(content, tag) {
    const made = document.createElement(tag);
    if (tag === "th") made.scope = "row";
    const [said, link, mark] = Array.isArray(content) ? content : [content, "", ""];
    if (!link && !mark) {
      made.textContent = said;
      return made;
    }
    const inner = document.createElement(link ? "a" : "span");
    if (link) inner.href = root + link;
    else inner.className = "mark " + mark;
    inner.textContent = said;
    made.append(inner);
    return made;
  }

  function showMore(body) {
    const next = found.slice(shown, shown + STEP);
    for (const row of next) {
      const line = document.createElement("tr");
      row.forEach((content, place) => line.append(cell(content, place ? "td" : "th")));
      body.append(line);
    }
    shown += next.length;
    document.getElementById("more").hidden = shown >= found.length;
    const of = found.length === rows.length ? "" : ` that fit, of ${rows.length}`;
    document.getElementById("count").textContent = `${shown} of ${found.length} shown${of}`;
  }

  function wanted(form) {
    const words = form.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    const choices = [...form.querySelectorAll("select")].filter((one) => one.value);
    return { words, choices };
  }

  function search(form, body) {
    const { words, choices } = wanted(form);
    found = rows.filter((row) => {
      if (choices.some((one) => text(row[one.dataset.column]) !== one.value)) return false;
      if (!words.length) return true;
      const line = row.map(text).join("\n").toLowerCase();
      return words.every((word) => line.includes(word));
    });
    shown = 0;
    body.replaceChildren();
    showMore(body);
  }

  // What is searched for stands in the address, so that it can be sent to somebody, and outlives a new load.
  function keep(form) {
    const said = new URLSearchParams();
    for (const field of form.querySelectorAll("input, select")) if (field.value) said.set(field.id, field.value);
    const address = said.size ? "#" + said : location.pathname + location.search;
    history.replaceState(null, "", address);
  }

  function recall(form) {
    const said = new URLSearchParams(location.hash.slice(1));
    for (const field of form.querySelectorAll("input, select")) field.value = said.get(field.id) || "";
  }

  function listen(form) {
    const body = document.querySelector("#list tbody");
    const again = () => { keep(form); search(form, body); };
    form.addEventListener("input", again);
    form.addEventListener("reset", () => setTimeout(again));
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("more").addEventListener("click", () => {
      const first = shown;
      showMore(body);
      // Whoever uses the keyboard goes on at the first of the new rows.
      const line = body.rows[first];
      line.tabIndex = -1;
      line.focus({ preventScroll: true });
    });
    recall(form);
    form.hidden = false;
    if (location.hash.length > 1) search(form, body);
  }

  function named() {
    const form = document.getElementById("search");
    if (form && rows) {
      recall(form);
      search(form, document.querySelector("#list tbody"));
    } else {
      openNamed();
    }
  }

  function load(form) {
    const script = document.createElement("script");
    script.src = form.dataset.list;
    script.addEventListener("load", () => {
      found = rows;
      shown = Number(form.dataset.shown);
      document.getElementById("more").hidden = shown >= rows.length;
      listen(form);
    });
    script.addEventListener("error", () => {
      document.getElementById("told").textContent = "The list cannot be loaded, so only its first rows are here.";
    });
    document.head.append(script);
  }

  function openNamed() {
    const named = location.hash.startsWith("#o") && document.getElementById(location.hash.slice(1));
    if (named instanceof HTMLDetailsElement) {
      named.open = true;
      named.querySelector("summary").focus();
    }
  }

  // A page that is served asks whether there is something new, and takes it over without losing what is open.
  async function follow(meta) {
    const told = document.getElementById("told");
    try {
      const said = await (await fetch(root + "event", { cache: "no-store" })).text();
      told.textContent = "";
      if (said === meta.content) return;
      const page = new DOMParser().parseFromString(await (await fetch(location.pathname)).text(), "text/html");
      const open = [...document.querySelectorAll("details")].map((one) => [one.id, one.open]);
      const focused = document.activeElement && document.activeElement.id;
      document.querySelector("main").replaceWith(page.querySelector("main"));
      document.querySelector(".moment").replaceWith(page.querySelector(".moment"));
      meta.content = page.querySelector("meta[name=octossh-event]").content;
      for (const [id, was] of open) if (document.getElementById(id)) document.getElementById(id).open = was;
      if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
      start();
    } catch {
      told.textContent = "There is no answer, so this page may be old.";
    }
  }

  function start() {
    const form = document.getElementById("search");
    if (form) load(form);
    openNamed();
  }

  start();
  window.addEventListener("hashchange", named);
  const meta = document.querySelector("meta[name=octossh-event]");
  if (meta) {
    let asked = Promise.resolve();
    setInterval(() => { if (!document.hidden) asked = asked.then(() => follow(meta)); }, PULSE_MS);
  }
})();
