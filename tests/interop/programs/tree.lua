-- Run cardpeek's own EMV script, then print the tree it made, one "label|id|value|meaning" a line.
dofile("emv.lua")
local function text(node, name)
  return tostring(nodes.get_attribute(node, name) or "")
end
local function walk(node)
  print(table.concat({"TREE", text(node, "label"), text(node, "id"), text(node, "val"), text(node, "alt")}, "|"))
  for child in nodes.children(node) do
    walk(child)
  end
end
for application in nodes.children(nodes.root()) do
  walk(application)
end
io.stdout:flush()
os.exit(0)
