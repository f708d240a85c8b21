-- Dovecot's userdb: `admin` knows the mailboxes.
local client = dovecot.http.client({ timeout = 10000, max_attempts = 3 })

local function encoded(text)
  return (text:gsub("[^%w]", function(c) return string.format("%%%02X", c:byte()) end))
end

function auth_userdb_lookup(request)
  local url = "http://@ADMIN@:8080/lab/mailbox?name=" .. encoded(request.user) .. "&service=" .. encoded(request.service)
  local response = client:request({ url = url }):submit()
  if response:status() == 404 then
    return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "no such user"
  elseif response:status() ~= 200 then
    return dovecot.auth.USERDB_RESULT_INTERNAL_FAILURE, "admin does not answer"
  end
  local fields = {}
  for key, value in response:payload():gmatch("([^=\n]+)=([^\n]*)") do fields[key] = value end
  return dovecot.auth.USERDB_RESULT_OK, fields
end
