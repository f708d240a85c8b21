"use strict";
// Filters and links into folded findings. Without this the page shows everything.
(() => {
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
    output.textContent = `${shown} of ${findings.length} shown`;
  }

  function follow() {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !target.matches(".finding, .group")) return;
    if (target.hidden) showAll();
    if (target.matches(".finding")) target.open = true;
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
  filter();
  follow();
})();
