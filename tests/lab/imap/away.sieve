# The automatic reply that a user has set; `admin` hands the words over with the mailbox.
require ["vacation", "variables", "environment", "vnd.dovecot.environment"];
vacation :days 1 :subject "${env.vnd.dovecot.config.reply_subject}" "${env.vnd.dovecot.config.reply_body}";
