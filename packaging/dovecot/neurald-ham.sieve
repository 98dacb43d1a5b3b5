# neurald: a message that a user moves out of Junk is ham, unless it goes to the
# trash, which is how spam is thrown away, or to where more junk is kept. These
# are known by their special use, and by the names below.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables",
         "special-use"];

if environment :matches "imap.mailbox" "*" {
    set "mailbox" "${1}";
}
if specialuse_exists "${mailbox}" ["\\Trash"] {
    stop;
}
if specialuse_exists "${mailbox}" ["\\Junk"] {
    stop;
}
if string :matches "${mailbox}" [
    "Trash", "Trash/*", "Trash.*", "INBOX/Trash*", "INBOX.Trash*",
    "Deleted Items*", "Deleted Messages*",
    "Junk/*", "Junk.*", "INBOX/Junk*", "INBOX.Junk*"] {
    stop;
}
if environment :is "imap.cause" "COPY" {
    pipe :copy :try "neurald-learn" ["ham"];
}
