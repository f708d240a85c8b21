"use strict";
// Copy buttons, filters that stand in the address, links into folded parts. Without this the page shows everything.
(() => {
  // Copy buttons.
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // A page that was opened from a file may not use the clipboard itself.
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        button.focus();
      }
      button.textContent = "Copied";
    });
  }

  const form = document.querySelector(".filters");
  if (!form) return;
  const findings = [...document.querySelectorAll(".finding")];
  const groups = [...document.querySelectorAll(".group")];
  const output = form.querySelector("output");
  form.hidden = false;

  function filter() {
    const verdicts = new Set([...form.querySelectorAll("[name=verdict]:checked")].map((box) => box.value));
    const family = form.elements.family.value;
    const severity = form.elements.severity.value;
    const text = form.elements.text.value.trim().toLowerCase();
    let shown = 0;
    for (const finding of findings) {
      const told = finding.dataset;
      finding.hidden = !(
        verdicts.has(told.verdict) &&
        (!family || told.family === family) &&
        (!severity || told.severity === severity) &&
        (!text || finding.textContent.toLowerCase().includes(text))
      );
      if (!finding.hidden) shown += 1;
    }
    for (const group of groups) group.hidden = !group.querySelector(".finding:not([hidden])");
    const calm = document.getElementById("calm");
    const everyVerdict = verdicts.size === form.querySelectorAll("[name=verdict]").length;
    if (calm && (family || severity || text || !everyVerdict)) calm.open = true;
    output.textContent = `${shown} of ${findings.length} shown`;
    remember(verdicts, family, severity, text);
  }

  // The filters stand in the address, so that a filtered page can be passed on.
  function remember(verdicts, family, severity, text) {
    const all = [...form.querySelectorAll("[name=verdict]")].map((box) => box.value);
    const query = new URLSearchParams();
    if (verdicts.size < all.length) query.set("verdict", [...verdicts].join(","));
    for (const [name, value] of Object.entries({ family, severity, text })) if (value) query.set(name, value);
    const search = query.size ? `?${query}` : location.pathname;
    history.replaceState(null, "", search + location.hash);
  }

  function recall() {
    const query = new URLSearchParams(location.search);
    if (query.has("verdict")) {
      const chosen = query.get("verdict").split(",");
      for (const box of form.querySelectorAll("[name=verdict]")) box.checked = chosen.includes(box.value);
    }
    for (const name of ["family", "severity", "text"]) if (query.has(name)) form.elements[name].value = query.get(name);
  }

  function follow() {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !target.matches(".finding, .group")) return;
    if (target.hidden) showAll();
    for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
    target.scrollIntoView();
  }

  function showAll() {
    form.reset();
    filter();
  }

  for (const kind of ["input", "change"]) form.addEventListener(kind, filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.all.addEventListener("click", showAll);
  form.elements.open.addEventListener("click", (event) => {
    const open = event.target.textContent === "Open all";
    for (const finding of findings) if (!finding.hidden) finding.open = open;
    event.target.textContent = open ? "Close all" : "Open all";
  });
  window.addEventListener("hashchange", follow);
  recall();
  filter();
  follow();
})();
