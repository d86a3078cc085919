using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Idempotency.AspNetCore.DynamoDB.Tests;

/// <summary>Counts what a client's calls cost.</summary>
/// <remarks>
/// Asks the server for the consumed capacity, and checks what it says against the documented rules, where the size of the item is known. A condition that fails is charged like the write
/// that it prevented, by the larger of the item there and the one to be written (Amazon DynamoDB Developer Guide, "DynamoDB read and write operations"); no server reports that.
/// </remarks>
internal sealed class CapacityMeter() : DelegatingHandler(new SocketsHttpHandler())
{
    private readonly Lock _lock = new();
    private readonly List<Charge> _charges = [];

    /// <summary>What was charged since <see cref="Reset"/>.</summary>
    public Cost Total
    {
        get
        {
            lock (_lock)
            {
                return new Cost([.. _charges]);
            }
        }
    }

    public void Reset()
    {
        lock (_lock)
        {
            _charges.Clear();
        }
    }

    /// <summary>The size of an item by the documented rules: names and values, a number with a byte for two digits and one more (same guide, "DynamoDB item sizes and formats").</summary>
    public static int SizeOf(JsonObject item) => item.Sum(attribute => Encoding.UTF8.GetByteCount(attribute.Key) + ValueSize(attribute.Value!.AsObject().Single()));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var call = request.Headers.GetValues("X-Amz-Target").Single().Split('.')[1];
        if (call is not ("PutItem" or "UpdateItem" or "DeleteItem" or "GetItem"))
        {
            return await base.SendAsync(request, cancellationToken); // the table's own
        }

        var body = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!.AsObject();
        body["ReturnConsumedCapacity"] = "TOTAL";
        if (call is "UpdateItem" or "DeleteItem")
        {
            body["ReturnValues"] = call == "UpdateItem" ? "ALL_NEW" : "ALL_OLD"; // the item, which costs nothing
        }

        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToJsonString()));
        content.Headers.ContentType = request.Content.Headers.ContentType;
        request.Content = content;
        var response = await base.SendAsync(request, cancellationToken);
        await response.Content.LoadIntoBufferAsync(cancellationToken);
        var reply = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!.AsObject();
        var charge = ChargeFor(call, body, reply, response.StatusCode);
        lock (_lock)
        {
            _charges.Add(charge);
        }

        return response;
    }

    private static Charge ChargeFor(string call, JsonObject request, JsonObject reply, HttpStatusCode status)
    {
        var isRead = call == "GetItem";
        var size = Math.Max(SizeOfMember(request, "Item"), Math.Max(SizeOfMember(reply, "Item"), SizeOfMember(reply, "Attributes")));
        var units = Kilobytes(size, isRead ? 4 : 1);
        if (status == HttpStatusCode.OK)
        {
            // Of an update the item before counts too, which may have been larger.
            var charged = reply["ConsumedCapacity"]!["CapacityUnits"]!.GetValue<double>();
            Assert.True(call == "UpdateItem" ? units <= charged : units == charged, $"{call} of {size} bytes was charged {charged} units.");
            return new Charge(isRead, charged, size);
        }

        Assert.EndsWith("ConditionalCheckFailedException", reply["__type"]!.GetValue<string>(), StringComparison.Ordinal);
        return new Charge(isRead, units, size);
    }

    private static int Kilobytes(int bytes, int each) => Math.Max(1, (bytes + (each * 1024) - 1) / (each * 1024));

    private static int SizeOfMember(JsonObject message, string member) => message[member] is { } item ? SizeOf(item.AsObject()) : 0;

    private static int ValueSize(KeyValuePair<string, JsonNode?> value) => value.Key switch
    {
        "S" => Encoding.UTF8.GetByteCount(value.Value!.GetValue<string>()),
        "B" => Convert.FromBase64String(value.Value!.GetValue<string>()).Length,
        "N" => 1 + ((Digits(value.Value!.GetValue<string>()) + 1) / 2),
        "BOOL" => 1,
        var other => throw new NotSupportedException($"The store has no attribute of type {other}."),
    };

    private static int Digits(string number) => long.Parse(number, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture).Trim('-').TrimEnd('0').Length;
}
