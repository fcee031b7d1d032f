// For tests of crashes: the process kills itself before or after a fact is appended. SELLCOMPUTE_TEST_KILL_AT names the
// point: "before-append:JobQuoted" or "after-append:JobQuoted", with the type of any fact.
#pragma once

#include <string>

#include "pipeline/runtime/journal.h"

namespace cmd {

// Passes everything on to the journal, until the point comes.
class KillPoint final : public runtime::Journal {
 public:
  KillPoint(runtime::Journal& journal, std::string point) : journal_(journal), point_(std::move(point)) {}
  void append(ledger::Group group, std::function<void(base::Result<void>)> done) override;
  base::Result<std::optional<std::string>> text(const base::TextRef& ref) override { return journal_.text(ref); }
  base::Result<std::optional<core::Job>> job(const base::JobId& id) override { return journal_.job(id); }

 private:
  runtime::Journal& journal_;
  std::string point_;
};

}  // namespace cmd
