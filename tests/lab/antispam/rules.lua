-- A stranger may not write in the name of somebody who lives here.
local own = os.getenv("DOMAIN"):lower()

local function written_in_our_name(task)
  for _, from in ipairs(task:get_from("mime") or {}) do
    if (from.domain or ""):lower() == own then return true end
  end
  return false
end

-- The plugin waits for the symbol that Mailu's rules have: it shows that the filter knows who lives here.
rspamd_config:register_symbol({
  name = "IS_LOCAL_DOMAIN_H",
  callback = written_in_our_name,
})

rspamd_config:register_symbol({
  name = "LAB_FORGED_SENDER",
  type = "prefilter",
  priority = 5,
  callback = function(task)
    local address = task:get_from_ip()
    if task:get_user() or not address or not address:is_valid() or address:is_local() then return false end
    if not written_in_our_name(task) then return false end
    task:set_pre_result("reject", "Rejected (anti-spoofing: " .. own .. ")", "lab")
    return true
  end,
})
