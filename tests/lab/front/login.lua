-- Dovecot's passdb in the proxy: `admin` decides, and names the server that takes the session on.
local client = dovecot.http.client({ timeout = 10000, max_attempts = 3 })

local function encoded(text)
  return (text:gsub("[^%w]", function(c) return string.format("%%%02X", c:byte()) end))
end

function auth_password_verify(request, password)
  local asked = client:request({ url = "http://@ADMIN@:8080/lab/login" })
  asked:add_header("Auth-User", encoded(request.user))
  asked:add_header("Auth-Pass", encoded(password))
  asked:add_header("Auth-Protocol", request.service)
  asked:add_header("Auth-Port", tostring(request.lport or ""))
  asked:add_header("Client-IP", request.rip or "")
  local response = asked:submit()
  if response:status() == 403 then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "refused"
  elseif response:status() ~= 200 then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "admin cannot tell"
  end
  return dovecot.auth.PASSDB_RESULT_OK, {
    proxy = "y",
    proxy_noauth = "y",
    host = response:header("Auth-Server"),
    port = response:header("Auth-Port"),
  }
end

-- Asked for the recipients of a delivery.
function auth_passdb_lookup(request)
  local url = "http://@ADMIN@:8080/lab/mailbox?name=" .. encoded(request.user)
  local response = client:request({ url = url }):submit()
  if response:status() == 404 then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such user"
  elseif response:status() ~= 200 then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "admin does not answer"
  end
  return dovecot.auth.PASSDB_RESULT_OK, { proxy = "y", host = "@IMAP@", port = "2525", nopassword = "y" }
end
