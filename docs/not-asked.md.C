## mailbox

* The same commands on port 143: after the login, 143 and 993 lead to the same Dovecot behind Mailu's proxy. Whether 143 is
  served, greets, starts TLS and logs people in is asked by `surface/`, `tls/` and `access/`.
* ID, NAMESPACE, ENABLE and the lists of capabilities: asked by `surface/`.
* A letter as it arrives (body, headers, folder, flags, alias, detail, a full mailbox): asked by `inbound/`.
* How well the filter judges after it has learned: it needs hundreds of letters (`min_learns`), and depends on Rspamd's own
  data. Asked is that a moved letter reaches the filter and is learned.
* Rspamd's fuzzy storage, which the same scripts feed: it tells nothing that a log or a reply would show.
* ACL, shared folders, METADATA, URLAUTH, COMPRESS: Mailu does not offer them in any release. NOTIFY is offered, and hardly
  used by any program; that news are told at all is asked by `mailbox/993/idle` and `two-sessions`.
* Attachments in the full-text index (`FULL_TEXT_SEARCH_ATTACHMENTS`): it needs a service of its own (Tika), which the sealed
  stacks do not have.
* Search without the index (`FULL_TEXT_SEARCH=off`): give the setting with `--mailu-env`, and the same behaviours ask it.

## sieve

* Filters of the web mail and the admin site's forms for automatic replies and forwards: the web interface is asked by
  `web/`, forwards by `relay/`, Mailu's own automatic reply by `inbound/`. Here it is the user's own filters.
* A vacation to addresses such as `noreply@`: Dovecot leaves that to the writer of the filter; Mailu's own automatic reply
  looks for such addresses (since 2024.06), and is asked by `inbound/away/`.
* A letter that Rspamd itself finds to be spam, between the marks and the rejection: what Rspamd makes of a text depends on
  its version and on networks that the sealed world does not have. Asked is that a letter with the marks gets into Junk.
* Execution of programs (`vnd.dovecot.execute`): only Mailu's own scripts may; what they do is asked by `mailbox/…/teaches-…`.

## inside

* Every package of an image: the versions of the programs that serve mail are told, and the system's. Complete lists differ
  with every build and name nothing that anybody relies on.
* Processes that come and go (Postfix's `smtpd`, Dovecot's `imap`): they depend on who is connected at the moment.
* Restarts that a person or the engine causes: the stack is the plugin's own. That a service ends by itself is asked by
  `services/…/stays-up` after everything else.
* Files, permissions and users inside the images: internal to Mailu; what depends on them shows in mail.

## in place

None of these lines is asked by an ordinary run, since each side starts empty. What an upgrade does to data that is there
is a mode of its own, `--mailu-in-place`: the old release is filled, stopped, a *copy* of its volumes is handed to the new
release (going back is impossible: Mailu's database migrations are one-way), and the same things are looked for there. That
mode is not in this version; until it is, restore a backup beside the real server and look there.

* Messages, flags, UIDs and UIDVALIDITY, folders, subscriptions: would be read before and after, and compared one by one.
  Within one release `mailbox/993/uids-stay`, `flags` and `mailbox/995/uidl-stable` ask for the same across sessions.
* Sieve scripts, which one is active: as above; `sieve/4190/upload` asks that they are kept at all.
* Quotas, passwords, tokens, aliases, relays, forwards, DKIM keys: in the database, which the new release migrates when it
  starts. `admin/cli/config-round-trip` asks for export and import, which goes another way.
* Mail that was queued at shutdown arrives afterwards, exactly once; nothing that was accepted is lost: needs letters in
  Postfix's queue while the old release is stopped. Within one release `relay/next-hop/not-now-at-…` asks that a deferred letter
  stays queued and is tried again.
