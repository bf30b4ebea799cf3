// Helps where script runs; every page works without.
"use strict";
const all = (css) => document.querySelectorAll(css), byId = (id) => document.getElementById(id);
for (const show of all(".show")) {
  const input = byId(show.getAttribute("aria-controls"));
  show.hidden = false;
  show.onclick = () => {
    input.type = input.type === "text" ? "password" : "text";
    show.setAttribute("aria-pressed", input.type === "text");
  };
}
for (const advice of all(".advice")) {
  const input = byId(advice.dataset.for), plain = advice.textContent;
  let due, asked = 0;
  const ask = async () => {
    const mine = ++asked, sent = { password: input.value };
    for (const name of ["email", "firstName", "lastName"]) sent[name] = byId(name)?.value;
    const r = await fetch("/auth/password-check", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent),
    }).catch(() => 0);
    const found = r?.ok && (await r.json()).data;
    if (mine !== asked) return;
    advice.textContent = found && advice.dataset[(found.reason || found.strength).replaceAll("_", "")] || plain;
    advice.className = "advice " + (!found ? "" : found.accepted ? "good" : "bad");
  };
  input.oninput = () => {
    clearTimeout(due);
    if (input.value) due = setTimeout(ask, 300);
  };
}
for (const again of all("[data-wait]")) {
  again.disabled = true;
  const tick = setInterval(() => {
    if (--again.dataset.wait) return;
    again.disabled = false;
    clearInterval(tick);
  }, 1000);
}
onsubmit = (e) => {
  if (e.target.dataset.sent) return false;
  e.target.dataset.sent = 1;
  e.target.querySelector("button:not(.show)").setAttribute("aria-disabled", true);
};
onpageshow = (e) => e.persisted && location.reload();
for (const input of all("[name=script]")) input.value = "runs";
for (const form of all("[data-send]")) form.submit();
for (const t of all("time:not([data-ago])")) {
  t.textContent = new Date(t.dateTime).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}
