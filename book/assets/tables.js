/* Lets a reader sort and filter the tables that transfer.sortable writes. */
(function () {
  "use strict";

  var count = 0;

  function element(name, attributes, text) {
    var made = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      made.setAttribute(key, attributes[key]);
    });
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function field(box, label, control) {
    control.id = "table-field-" + ++count;
    var pair = element("span");
    pair.append(element("label", { for: control.id }, label), " ", control);
    box.append(pair);
    return control;
  }

  function start(part) {
    var table = part.querySelector("table");
    var headings = Array.from(table.querySelectorAll("thead th"));
    var body = table.tBodies[0];
    var rows = Array.from(body.rows);
    var controls = element("div", { class: "sortable-controls", role: "group" });
    controls.setAttribute("aria-label", "Filter: " + table.caption.textContent);
    var said = element("p", { class: "sortable-count", role: "status" });
    var words = field(controls, "holds", element("input", { type: "search" }));
    var chosen = [];

    headings.forEach(function (heading, place) {
      if (!heading.hasAttribute("data-filter")) return;
      var there = new Map();
      rows.forEach(function (row) {
        there.set(row.cells[place].textContent, row.cells[place].dataset.key);
      });
      if (there.size < 2) return;
      var list = field(controls, heading.textContent, element("select"));
      list.append(element("option", { value: "" }, "all"));
      Array.from(there.keys())
        .sort(function (a, b) {
          return compare(there.get(a), there.get(b), heading.hasAttribute("data-numeric"));
        })
        .forEach(function (name) {
          list.append(element("option", { value: "=" + name }, name));
        });
      var first = "=" + heading.dataset.filter;
      if (heading.dataset.filter && there.has(heading.dataset.filter)) list.value = first;
      list.addEventListener("change", filter);
      chosen.push({ place: place, list: list });
    });

    function filter() {
      var wanted = words.value.trim().toLowerCase();
      var shown = 0;
      rows.forEach(function (row) {
        var holds = row.textContent.toLowerCase().indexOf(wanted) >= 0;
        row.hidden = !(
          holds &&
          chosen.every(function (one) {
            return !one.list.value || one.list.value === "=" + row.cells[one.place].textContent;
          })
        );
        if (!row.hidden) shown += 1;
      });
      said.textContent = shown + " of " + rows.length + " rows";
    }

    headings.forEach(function (heading, place) {
      var numeric = heading.hasAttribute("data-numeric");
      var button = element("button", { type: "button" }, heading.textContent);
      heading.replaceChildren(button);
      button.addEventListener("click", function () {
        var before = heading.getAttribute("aria-sort");
        // Numbers from the highest first: that is what a reader looks for.
        var down = before ? before === "ascending" : numeric;
        headings.forEach(function (other) {
          other.removeAttribute("aria-sort");
        });
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        rows.sort(function (first, second) {
          var a = first.cells[place].dataset.key;
          var b = second.cells[place].dataset.key;
          if (!a || !b) return (a ? 0 : 1) - (b ? 0 : 1);
          return (down ? -1 : 1) * compare(a, b, numeric);
        });
        body.append.apply(body, rows);
      });
    });

    words.addEventListener("input", filter);
    part.prepend(controls, said);
    filter();
  }

  function compare(a, b, numeric) {
    return numeric ? Number(a) - Number(b) : a.localeCompare(b);
  }

  function all() {
    document.querySelectorAll(".sortable").forEach(start);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
