# neurald: a message that a user moves out of Junk is ham, unless it goes to the
# trash: that is how spam is thrown away.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

if environment :matches "imap.mailbox" "*" {
    set "mailbox" "${1}";
}
if string :is "${mailbox}" ["Trash", "Deleted Items", "Deleted Messages",
                            "INBOX.Trash", "INBOX/Trash"] {
    stop;
}
if environment :is "imap.cause" "COPY" {
    pipe :copy :try "neurald-learn" ["ham"];
}
