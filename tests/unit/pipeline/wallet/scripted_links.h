// Wallets' connections that answer as a test tells them to.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "pipeline/wallet/links/http.h"
#include "pipeline/wallet/links/rpc.h"
#include "pipeline/web/page_reader.h"

namespace wallet {

// Answers in the order in which it was told to, and keeps what it was asked.
class ScriptedHttp final : public Http {
 public:
  void call(HttpCall call, std::function<void(base::Result<HttpReply>)> done) override {
    asked.push_back(std::move(call));
    ASSERT_FALSE(replies.empty()) << asked.back().path;
    auto reply = std::move(replies.front());
    replies.pop_front();
    done(std::move(reply));
  }
  void feed(HttpFeed a_feed) override { fed.push_back(std::move(a_feed)); }

  void says(const nlohmann::json& body, unsigned status = 200) { replies.push_back(HttpReply{status, body.dump()}); }
  void says_lines(const std::vector<nlohmann::json>& lines) {
    std::string body;
    for (const nlohmann::json& line : lines) body += line.dump() + "\n";
    replies.push_back(HttpReply{200, body});
  }
  nlohmann::json body(std::size_t n) const { return nlohmann::json::parse(asked.at(n).body); }

  std::vector<HttpCall> asked;
  std::deque<base::Result<HttpReply>> replies;
  std::vector<HttpFeed> fed;
};

// A web server, page by page.
class ScriptedWeb final : public web::PageReader {
 public:
  void get(const std::string& url, std::function<void(base::Result<std::string>)> done) override {
    asked.push_back(url);
    ASSERT_FALSE(answers.empty()) << url;
    auto answer = std::move(answers.front());
    answers.pop_front();
    done(std::move(answer));
  }
  void says(const nlohmann::json& what) { answers.emplace_back(what.dump()); }
  void fails(std::string code, std::string context = {}) {
    answers.emplace_back(base::fail(base::ErrorKind::job_request, std::move(code), "no", std::move(context)));
  }

  std::vector<std::string> asked;
  std::deque<base::Result<std::string>> answers;
};

class ScriptedRpc final : public Rpc {
 public:
  void call(RpcCall call, std::function<void(base::Result<RpcReply>)> done) override {
    asked.push_back(std::move(call));
    if (replies.empty()) return;  // it waits
    auto reply = std::move(replies.front());
    replies.pop_front();
    done(std::move(reply));
  }
  void on_notification(std::function<void(const std::string&, const std::string&)> to) override {
    said = std::move(to);
  }

  void says(const nlohmann::json& result) { replies.push_back(RpcReply{.result = result.dump()}); }
  void refuses(std::int64_t code, const std::string& words) {
    replies.push_back(RpcReply{.error_code = code, .error = words});
  }
  nlohmann::json params(std::size_t n) const { return nlohmann::json::parse(asked.at(n).params); }

  std::vector<RpcCall> asked;
  std::deque<base::Result<RpcReply>> replies;
  std::function<void(const std::string&, const std::string&)> said;
};

}  // namespace wallet
