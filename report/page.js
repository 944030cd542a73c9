// Sections are unpacked when they are opened and let go when they are closed, so that hundreds of
// datasets with their drawings cost memory only while they are looked at.
const sections = document.getElementById("sections");

const unpacked = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

const show = async (section) => {
  const content = section.querySelector(".content");
  if (content.dataset.state) return;
  content.dataset.state = "loading";
  content.setAttribute("aria-busy", "true");
  try {
    const { html, images, attributions } = await unpacked(section.dataset.packed);
    content.innerHTML = html;
    content.querySelectorAll("img[data-image]").forEach((image) => {
      image.src = `data:image/svg+xml,${encodeURIComponent(images[image.dataset.image])}`;
    });
    content.querySelectorAll("svg[data-attribution]").forEach((svg) => {
      drawAttribution(svg, attributions[svg.dataset.attribution]);
    });
    drawWhenSeen(content);
    content.dataset.state = "shown";
  } catch (error) {
    content.textContent = "This browser cannot unpack the section; a current one can.";
    content.className = "content waiting";
  }
  content.removeAttribute("aria-busy");
};

sections.addEventListener("toggle", (event) => {
  const section = event.target;
  if (!section.matches("details.dataset")) return;
  if (section.open) {
    show(section);
  } else {
    const content = section.querySelector(".content");
    content.replaceChildren();
    delete content.dataset.state;
  }
}, true);

const follow = async () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.matches("details.dataset")) return;
  target.hidden = false;
  target.open = true;
  await show(target);
  target.scrollIntoView();
};
window.addEventListener("hashchange", follow);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#dataset-']");
  if (link && link.hash === location.hash) follow();
});

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const compareNumbers = (a, b) => Number(a) - Number(b);

// Rows without a value stay last, whichever the direction.
const emptyLast = (compare, sign) => (a, b) =>
  (a === "") - (b === "") || (a === "" ? 0 : sign * compare(a, b));

const listSections = (api) => {
  const rows = api.rows({ page: "current", search: "applied" }).nodes().toArray();
  const listed = new Set(rows.map((row) => row.dataset.section));
  for (const section of sections.children) section.hidden = !listed.has(section.id);
  sections.append(...rows.map((row) => document.getElementById(row.dataset.section)));
  const all = sections.children.length;
  document.getElementById("listed").textContent =
    listed.size < all ? `Those of the table’s ${listed.size} rows, of ${all}` : "";
  drawWhenSeen(document.getElementById("table"));
};

const tables = {
  table: {
    noun: "dataset", search: "Search the results", hint: "Search dataset, TF or match",
    onDraw: listSections, searched: true,
  },
  "sites-table": { noun: "row", search: "Search the sites", hint: "Search dataset, TF or model" },
};

// DataTables on a table of the page, which stays in its box that scrolls sideways.
const startTable = (table, { noun, search, hint, onDraw, searched }) => {
  const $ = window.jQuery;
  const columns = [...table.tHead.rows[0].cells].map(({ dataset: { kind, first } }) => ({
    type: `page-${kind}`,
    orderable: Boolean(first),
    orderSequence: first === "descending" ? ["desc", "asc"] : ["asc", "desc"],
  }));
  const many = table.tBodies[0].rows.length > 50;
  const scroll = table.parentElement;
  scroll.replaceWith(table);
  if (onDraw) $(table).on("draw.dt", () => onDraw($(table).DataTable()));
  $(table).DataTable({
    columns,
    order: [],
    autoWidth: false,
    paging: many,
    pageLength: 25,
    lengthMenu: [25, 50, 100, { label: "all", value: -1 }],
    language: {
      search,
      searchPlaceholder: hint,
      info: many ? `_START_–_END_ of _TOTAL_ ${noun}s` : `_TOTAL_ ${noun}s`,
      infoEmpty: `No ${noun}`,
      infoFiltered: "(of _MAX_)",
      zeroRecords: `No ${noun} holds these words.`,
      lengthMenu: "Rows _MENU_",
    },
    layout: {
      topStart: searched || many ? "search" : null,
      topEnd: searched || many ? "info" : null,
      bottomStart: many ? "pageLength" : null,
      bottomEnd: many ? "paging" : null,
    },
  });
  table.parentElement.replaceChildren(scroll);
  scroll.replaceChildren(table);
};

document.addEventListener("tables-ready", () => {
  const orders = window.jQuery.fn.dataTable.ext.type.order;
  for (const [kind, compare] of [["number", compareNumbers], ["text", words.compare]]) {
    orders[`page-${kind}-asc`] = emptyLast(compare, 1);
    orders[`page-${kind}-desc`] = emptyLast(compare, -1);
  }
  for (const [id, settings] of Object.entries(tables)) {
    const table = document.getElementById(id);
    if (table) startTable(table, settings);
  }
  follow();
});
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details.printed").forEach((block) => { block.open = true; });
});
drawWhenSeen(document);
