// What the program tells its caller when it ends.
#pragma once

#include "base/result.h"

namespace cmd {

enum class ExitCode : int {
  done = 0,
  failed = 1,
  usage = 2,          // wrong arguments or configuration
  unreachable = 3,    // something needed did not answer
  audit_wrong = 4,    // `audit` found a wrong
  ledger = 5,         // the ledger is locked or damaged, or could not be written
  interrupted = 130,  // by a signal, as shells count
  unread = 141        // the reader of our output closed it (`| head`), as if SIGPIPE had ended the process
};

// The one place where failures become exit codes: by the error code where that decides ("interrupted", "audit.…",
// "ledger.…", "….unreachable"), else by the ErrorKind.
ExitCode exit_code_of(const base::Error& error);

}  // namespace cmd
