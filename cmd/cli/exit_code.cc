#include "cmd/cli/exit_code.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace cmd {
namespace {

// Failures of the ledger's room in which the ledger itself is sound: a question about something that is not there.
constexpr std::array<std::string_view, 2> kSoundLedger = {"ledger.absent", "ledger.no_entry"};

}  // namespace

ExitCode exit_code_of(const base::Error& error) {
  const std::string_view code = error.code;
  if (code == "interrupted") return ExitCode::interrupted;
  if (code.starts_with("audit.")) return ExitCode::audit_wrong;
  if (std::ranges::find(kSoundLedger, code) != kSoundLedger.end()) return ExitCode::failed;
  if (code.starts_with("ledger.")) return ExitCode::ledger;
  if (error.kind == base::ErrorKind::connection || code.ends_with(".unreachable")) return ExitCode::unreachable;
  if (error.kind == base::ErrorKind::config) return ExitCode::usage;
  return ExitCode::failed;
}

}  // namespace cmd
