# neurald: a message that a user moves into Junk is spam.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment"];

if environment :is "imap.cause" ["COPY", "APPEND"] {
    pipe :copy :try "neurald-learn" ["spam"];
}
