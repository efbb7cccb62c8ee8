const element = (name, className = "") => {
  const node = document.createElement(name)
  node.className = className
  return node
}

const frame = (share) => {
  const figure = element("figure", "view")
  const stack = element("div", "stack")
  stack.append(element("img", "picture"), element("img", "heat"))
  const fade = element("label", "fade")
  const slider = element("input", "tl-slider")
  Object.assign(slider, { type: "range", min: 0, max: 100, value: share })
  slider.oninput = () => figure.style.setProperty("--share", slider.value / 100)
  fade.append("Heat-map", slider)
  const legend = element("figcaption", "legend")
  legend.append(element("span", "least"), element("i"), element("span", "most"))
  figure.append(stack, fade, legend)
  figure.style.setProperty("--share", share / 100)
  return figure
}

export default function ({ data, parentElement }) {
  let figure = parentElement.querySelector(".view")
  if (!figure) {
    figure = frame(data.share)
    parentElement.append(figure)
  }
  const find = (name) => figure.querySelector(`.${name}`)
  Object.assign(find("picture"), { src: data.picture, alt: data.alt })
  figure.classList.toggle("with-heat", Boolean(data.heat))
  const heat = find("heat")
  heat.hidden = find("fade").hidden = find("legend").hidden = !data.heat
  if (!data.heat) {
    heat.removeAttribute("src")
    heat.alt = ""
    return
  }
  Object.assign(heat, { src: data.heat, alt: data.heatAlt })
  find("least").textContent = data.least
  find("most").textContent = data.most
  find("legend").querySelector("i").style.background = data.legend
}
