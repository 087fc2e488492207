// 繁體中文（台灣）: 400 to 425. Requests that cannot be understood, allowed or routed as they are.
import type { TranslatedTexts } from "../code-text.ts";

export const requestFailure = {
  400: {
    name: "錯誤的請求",
    meaning: "請求的格式有誤或內容自相矛盾，原封不動重送也不會成功。",
    causes: [
      "必要的標頭缺漏、重複或無法解讀",
      "路由器的 SIP ALG 改寫訊息，弄錯了 Content-Length",
      "UDP 封包在途中被截斷",
      "註冊要求互相牴觸，例如 Contact: * 搭配 Expires: 60",
    ],
    checks: [
      "看原因短語與 Warning，通常會指出錯在哪裡",
      "比對送出時與收到時的訊息內容",
      "關閉路由器的 SIP ALG，並改用 TCP 試試",
    ],
  },
  401: {
    name: "未經授權",
    meaning: "請求的目的伺服器要先確認你是誰。第一次收到 401 是正常的，話機會附上驗證資訊再送一次。",
    causes: [
      "註冊的第一個請求，本來就不帶驗證資訊",
      "密碼、使用者名稱或 realm 錯誤",
      "話機不支援對方提供的演算法，例如 SHA-256",
      "nonce 已過期（stale=true），話機應自動重試而不詢問使用者",
    ],
    checks: [
      "之後有沒有送出帶 Authorization 的第二個請求？是否也被拒絕？",
      "核對使用者名稱、驗證名稱、密碼，以及 WWW-Authenticate 的 realm",
      "看 WWW-Authenticate 提供哪些演算法；舊話機需要 MD5",
    ],
  },
  402: {
    name: "需要付費",
    meaning: "保留代碼，標準未定義用途；實務上出現時代表餘額不足。",
    causes: ["發話方的預付餘額已用完", "電信業者端中繼線的額度已用盡"],
    checks: ["查帳戶餘額，包括自己這邊與電信業者那邊", "計費系統有沒有回應？有些系統停擺時會拒絕所有通話"],
  },
  403: {
    name: "禁止",
    meaning: "伺服器看懂了請求但拒絕執行；換一組驗證資訊或重試都沒有用。",
    causes: [
      "發話方無權撥打這類號碼，或無權轉送到該網域",
      "話機以甲的帳號登入，卻以乙的身分註冊或撥號",
      "電信業者不接受我方的 IP 位址或來電號碼",
      "密碼錯誤次數過多，來源位址暫時遭封鎖",
    ],
    checks: [
      "看原因短語，常會寫明理由",
      "驗證用的帳號可以使用 From 與 To 的位址嗎？",
      "查伺服器的封鎖清單、允許撥打的目的地與信任的 IP 位址",
    ],
  },
  404: {
    name: "找不到",
    meaning: "該網域中沒有這個使用者，或該網域不歸這台伺服器管理。",
    causes: [
      "號碼或名稱打錯",
      "號碼格式不是伺服器要的，例如少了國碼",
      "位址中的主機名稱不在伺服器的網域清單內",
      "帳號已刪除或從未建立",
    ],
    checks: [
      "看伺服器實際收到的 Request-URI：使用者部分與主機部分",
      "查途中的號碼改寫：字首、開頭的 0、+ 號",
      "核對伺服器的網域與別名清單",
    ],
  },
  405: {
    name: "不允許的方法",
    meaning: "伺服器認得這個方法，但該位址不接受；Allow 列出可用的方法。",
    causes: [
      "把 REGISTER 以外的請求送到只管註冊的伺服器",
      "裝置關閉了這項功能，例如訊息或轉接",
      "SBC 過濾了部分方法",
    ],
    checks: ["比對回應的 Allow 與送出的方法", "請求真的要送到這台主機嗎？會不會把註冊伺服器當成代理伺服器？"],
  },
  406: {
    name: "無法接受",
    meaning: "伺服器能提供的回應格式，都不在請求的 Accept 範圍內。若是語音或視訊格式不合，代碼是 488。",
    causes: [
      "訂閱者與伺服器使用不同的狀態（presence）或事件格式",
      "請求的 Accept 是空的，或沒有列出 application/sdp",
      "途中的設備移除或改寫了 Accept",
    ],
    checks: ["看伺服器實際收到的 Accept", "看 Warning，可能列出伺服器能產生的格式"],
  },
  407: {
    name: "需要代理伺服器驗證",
    meaning: "途中的代理伺服器要先確認你是誰。第一次收到 407 是正常的，話機會附上驗證資訊再送一次。",
    causes: [
      "通話的第一個 INVITE，還沒帶驗證資訊",
      "密碼錯誤，或驗證資訊屬於其他 realm",
      "話機只在註冊時驗證，撥號時不驗證",
    ],
    checks: [
      "之後有沒有送出帶 Proxy-Authorization 的第二個請求？realm 與 Proxy-Authenticate 相符嗎？",
      "一再收到同樣的 407：查密碼、realm 與演算法",
      "通話掛不掉：BYE 是否也被要求驗證，而話機沒有回覆？",
    ],
  },
  408: {
    name: "請求逾時",
    meaning: "在時限內沒有等到回應。話機自己的計時器到期時，就算什麼都沒收到，也會顯示這個代碼。",
    causes: [
      "受話方的話機已關機或斷線，但註冊仍有效",
      "防火牆或 NAT 丟棄了送往話機的封包",
      "話機或伺服器收到了請求，但回應找不到回來的路",
      "發話方在佇列中等候太久",
    ],
    checks: [
      "是真的收到，還是本機產生的？從 Server 標頭與 To tag 判斷由哪一站送出",
      "受話方多久前註冊？話機會回應 OPTIONS 嗎？",
      "追蹤到哪一站就斷了？問題在它的下一站",
    ],
  },
  409: {
    name: "衝突",
    meaning: "僅見於 RFC 2543：註冊要求的 action 與先前的註冊牴觸。重複註冊本身並不是錯誤。",
    causes: [
      "很舊的話機註冊時帶 action 參數（proxy 或 redirect），與既有紀錄不同",
      "伺服器誤用此代碼表示註冊數過多",
    ],
    checks: ["看 Contact 的 action 參數，拿掉即可", "送一個不帶 Contact 的 REGISTER，可列出目前的註冊"],
  },
  410: {
    name: "已不存在",
    meaning: "使用者曾經在此，但已永久離開，而且沒有新位址可轉。",
    causes: ["帳號已刪除，也沒有設定轉接位址", "電話網路回報號碼已變更，但沒有提供新號碼"],
    checks: ["以其他方式詢問新位址，並更正通訊錄", "在伺服器上，舊位址是否該轉給同事或新號碼？"],
  },
  411: {
    name: "需要長度",
    meaning: "僅見於 RFC 2543：請求沒有 Content-Length。現在的伺服器改回 400。",
    causes: ["腳本或舊的協定堆疊以 TCP 傳送，卻沒寫明主體長度", "途中的設備移除了這個標頭"],
    checks: [
      "送出時與收到時的訊息，是否都有 Content-Length？",
      "重送前先重新連線，因為這條連線上的後續資料已無法分段",
    ],
  },
  412: {
    name: "條件式請求失敗",
    meaning: "PUBLISH 想更新、修改或移除的狀態，已不在該標籤之下。",
    causes: ["發布的內容還沒更新就過期了", "伺服器重新啟動，忘了先前的內容", "兩台裝置共用同一個實體標籤"],
    checks: [
      "話機應重新發布完整內容，且不帶 SIP-If-Match",
      "比對更新間隔與上次 200 的 Expires",
      "若一再發生，查每台裝置是否各自保存自己的標籤",
    ],
  },
  413: {
    name: "請求內容過大",
    meaning: "請求的主體超過伺服器願意接受的大小；若附有 Retry-After，表示只是暫時如此。",
    causes: ["一則 MESSAGE 裡放了圖片或長文", "媒體描述列出太多編碼與候選位址", "收件人的離線訊息空間已滿"],
    checks: [
      "比對請求的 Content-Length 與伺服器上限",
      "減少編碼、拆短訊息，或改傳連結",
      "若有 Retry-After，過了那段時間原請求可能就會成功",
    ],
  },
  414: {
    name: "Request-URI 過長",
    meaning: "Request-URI 太長，伺服器拒絕讀取。",
    causes: ["每一站都替位址加上參數，或重複跳脫字元", "重新導向給了過長的位址", "有人在試探伺服器的弱點"],
    checks: ["逐站比對 Request-URI：從哪裡開始變長？", "位址毫無意義時，查是誰送的"],
  },
  415: {
    name: "不支援的媒體類型",
    meaning: "接收端不接受主體的格式、編碼或語言；回應中對應的標頭列出可接受的項目。",
    causes: [
      "閘道在送往話機的 INVITE 中附加了電話網路資料（ISUP、QSIG）",
      "主體經過壓縮，或由多個部分組成",
      "加密內容送到不懂 S/MIME 的裝置",
    ],
    checks: [
      "逐一比對 Content-Type、Content-Encoding、Content-Language 與 Accept、Accept-Encoding、Accept-Language",
      "多出來的部分能否拿掉，或標示為 handling=optional？",
    ],
  },
  416: {
    name: "不支援的 URI scheme",
    meaning: "伺服器不認得 Request-URI 的 scheme，也就是冒號前的部分。若是使用者不存在，代碼會是 404。",
    causes: [
      "以 tel: 撥號，但伺服器只收 sip: 與 sips:",
      "im: 或 pres: 位址未經解析就直接送出",
      "冒號前面打錯字",
    ],
    checks: [
      "改以 sip:number@domain;user=phone 的形式撥號",
      "原本是 sips: 時，改用未受保護的 sip: 之前要先徵得同意",
    ],
  },
  417: {
    name: "未知的資源優先權",
    meaning: "請求堅持要有優先權，但伺服器不認得 Resource-Priority 中的任何一個值。",
    causes: ["兩個網路採用不同的優先權命名空間", "中繼線誤設為優先通話"],
    checks: [
      "看 Accept-Resource-Priority，可能列出可用的值",
      "Require 真的需要 resource-priority 嗎？拿掉後會以一般優先權接通",
    ],
  },
  420: {
    name: "不支援的擴充功能",
    meaning: "請求要求了接收端不認得的擴充功能；Unsupported 列出是哪些。",
    causes: [
      "發話方強制要求可靠臨時回應、通話計時或前置條件，但對方裝置較舊",
      "途中的設備移除了 Supported，卻留下 Require",
      "代理伺服器不認得 Proxy-Require 的要求",
    ],
    checks: [
      "比對 Unsupported 與請求的 Require、Proxy-Require",
      "查發話方的設定：把該擴充從「必要」改為「支援」",
    ],
  },
  421: {
    name: "需要擴充功能",
    meaning: "缺少某項擴充功能，伺服器就無法處理，而發話方並未表示支援；Require 指明是哪一項。",
    causes: [
      "電信網路堅持使用 Path 或安全性協商",
      "受話方堅持使用可靠臨時回應",
      "途中的設備移除了 Supported",
    ],
    checks: [
      "比對回應的 Require 與伺服器實際收到的 Supported",
      "發話方的裝置有這項擴充嗎？有沒有啟用？",
      "在伺服器端：這項要求真的必要嗎？沒有它的裝置一律會被擋下",
    ],
  },
  422: {
    name: "通話計時間隔過短",
    meaning: "請求的通話計時器（session timer）低於途中伺服器的下限；Min-SE 說明下限是多少。",
    causes: ["話機要求 90 秒，電信業者卻要 900 或 1800 秒", "途中的設備調低了 Session-Expires"],
    checks: ["把話機的通話計時器設為 Min-SE 以上", "仍然失敗：每個新的 INVITE 是否都帶著先前得知的 Min-SE？"],
  },
  423: {
    name: "有效期限過短",
    meaning: "註冊、訂閱或發布要求的有效時間太短；Min-Expires 說明至少要多久。",
    causes: [
      "話機每 30 秒註冊一次，用來維持 NAT 連線",
      "伺服器要靠推播喚醒 App，需要更長的時間",
      "App 的預設值低於伺服器的下限",
    ],
    checks: ["把註冊間隔調到 Min-Expires 以上", "改用其他方式維持 NAT：CRLF 或 STUN 保持連線，或改用 TCP"],
  },
  424: {
    name: "位置資訊錯誤",
    meaning: "請求中的位置資料格式錯誤、不夠用，或根本取不到；Geolocation-Error 的代碼說明是哪一種。",
    causes: [
      "位置文件不符結構定義，或缺少 Geolocation 所指的部分",
      "接收端連不到位置伺服器",
      "發話方未允許使用或轉送位置",
    ],
    checks: [
      "先看 Geolocation-Error 的數字",
      "從接收端的網路開啟位置資料的網址",
      "若要依位置選擇路由，看 Geolocation-Routing",
    ],
  },
  425: {
    name: "警報訊息錯誤",
    meaning: "訊息帶來的緊急警報沒有任何可用的內容；原因見 AlertMsg-Error。",
    causes: [
      "警報文件格式不完整，或缺少必要欄位",
      "標頭提到了警報，但找不到所指的部分或網址",
      "途中的設備丟掉了主體的一部分",
    ],
    checks: [
      "先看 AlertMsg-Error，再以 CAP 的結構定義檢查警報文件",
      "比對該部分的 Content-ID 與 Call-Info 的位址",
    ],
  },
} satisfies Partial<TranslatedTexts>;
