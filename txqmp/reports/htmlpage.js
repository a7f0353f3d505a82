"use strict";

// Whether a row has all the words that were typed, and none of those with a minus before them.
function matches(text, words) {
  return words.every((word) =>
    word.length > 1 && word[0] === "-" ? !text.includes(word.slice(1)) : text.includes(word));
}

function prepare() {
  const form = document.querySelector("form");
  const count = document.querySelector("output");
  const rows = Array.from(document.querySelectorAll("tbody tr"), (row) => ({
    row,
    text: row.textContent.toLowerCase(),
    kind: row.dataset.kind,
    failed: row.dataset.failed !== undefined,
    took: Number(row.dataset.ms || -1),
  }));
  let waiting = 0;

  function choose() {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = form.elements.kind.value;
    const failed = form.elements.failed.checked;
    const least = form.elements.least.value === "" ? -1 : Number(form.elements.least.value);
    let shown = 0;
    for (const one of rows) {
      const hidden = (kind !== "" && one.kind !== kind) || (failed && !one.failed)
        || one.took < least || !matches(one.text, words);
      if (one.row.hidden !== hidden) one.row.hidden = hidden;
      shown += hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length}`;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(choose, 150);
  });
  choose();
}

prepare();
