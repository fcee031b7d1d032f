// Failures and the exit codes they end with (README lists them).
#include "cmd/cli/exit_code.h"

#include <gtest/gtest.h>

namespace cmd {
namespace {

using base::ErrorKind;

ExitCode code_of(ErrorKind kind, std::string code) {
  return exit_code_of({kind, std::move(code), "", "", ""});
}

TEST(ExitCode, FollowsWhoHasToAct) {
  EXPECT_EQ(code_of(ErrorKind::config, "config.value"), ExitCode::usage);
  EXPECT_EQ(code_of(ErrorKind::config, "usage"), ExitCode::usage);
  EXPECT_EQ(code_of(ErrorKind::connection, "relay.tls"), ExitCode::unreachable);
  EXPECT_EQ(code_of(ErrorKind::payment, "wallet.unreachable"), ExitCode::unreachable);
  EXPECT_EQ(code_of(ErrorKind::payment, "wallet.amount"), ExitCode::failed);
  EXPECT_EQ(code_of(ErrorKind::invocation, "event.signature"), ExitCode::failed);
}

TEST(ExitCode, TheRoomOfAnAuditOrALedgerDecidesOverTheKind) {
  EXPECT_EQ(code_of(ErrorKind::invocation, "audit.root"), ExitCode::audit_wrong);
  for (const char* code :
       {"ledger.locked", "ledger.damaged", "ledger.io", "ledger.corrupt", "ledger.views_stale", "ledger.rollback"}) {
    EXPECT_EQ(code_of(ErrorKind::invocation, code), ExitCode::ledger) << code;
    EXPECT_EQ(code_of(ErrorKind::config, code), ExitCode::ledger) << code;
  }
}

TEST(ExitCode, AskingForWhatIsNotThereSaysNothingAgainstTheLedger) {
  EXPECT_EQ(code_of(ErrorKind::invocation, "ledger.absent"), ExitCode::failed);
  EXPECT_EQ(code_of(ErrorKind::invocation, "ledger.no_entry"), ExitCode::failed);
}

TEST(ExitCode, AnInterruptionIsWhatShellsCallIt) {
  EXPECT_EQ(code_of(ErrorKind::invocation, "interrupted"), ExitCode::interrupted);
  EXPECT_EQ(static_cast<int>(ExitCode::interrupted), 130);
}

}  // namespace
}  // namespace cmd
