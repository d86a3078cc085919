using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Writes down what an assembly shows to the world, a line a member, so that a change of it is seen in review.</summary>
public static class PublicApi
{
    /// <summary>Fails unless an assembly's public API is what a file beside the test says.</summary>
    public static void AssertApproved(Assembly assembly, [CallerFilePath] string test = "")
    {
        var approved = Path.Combine(Path.GetDirectoryName(test)!, "PublicApi.approved.txt");
        var actual = Of(assembly);
        if (File.Exists(approved) && File.ReadAllText(approved) == actual)
        {
            return;
        }

        var received = Path.Combine(AppContext.BaseDirectory, "PublicApi.received.txt");
        File.WriteAllText(received, actual);
        Assert.Fail($"The public API has changed. Compare {received} with {approved}; if the change is meant, replace the latter and say so in CHANGELOG.md.");
    }

    private static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(type.Namespace).Append('.').Append(Name(type));
            var bases = new[] { type.BaseType }.Where(basis => basis is not null && basis != typeof(object) && basis != typeof(ValueType) && basis != typeof(Enum) && basis != typeof(MulticastDelegate))
                .Concat(type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? [])).Select(basis => Name(basis!)).Order(StringComparer.Ordinal).ToList();
            text.Append(bases.Count > 0 ? " : " + string.Join(", ", bases) : "").Append('\n');
            foreach (var line in Members(type).Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    private static IEnumerable<string> Members(Type type)
    {
        const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        if (type.IsEnum)
        {
            foreach (var value in Enum.GetValues(type))
            {
                yield return $"{value} = {Convert.ToInt64(value, CultureInfo.InvariantCulture)}";
            }

            yield break;
        }

        foreach (var member in type.GetMembers(Declared).Where(member => member.GetCustomAttribute<CompilerGeneratedAttribute>() is null || member is MethodInfo { IsSpecialName: true }))
        {
            switch (member)
            {
                case ConstructorInfo constructor when IsVisible(constructor) && !constructor.IsStatic:
                    yield return $"new({Parameters(constructor)})";
                    break;
                case FieldInfo field when field.IsPublic || field.IsFamily:
                    yield return $"{(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}{(field.IsLiteral ? " = " + Literal(field.GetRawConstantValue()) : "")}";
                    break;
                case PropertyInfo property when property.GetAccessors(nonPublic: true).Any(IsVisible):
                    var isRequired = property.GetCustomAttribute<RequiredMemberAttribute>() is not null;
                    yield return $"{(property.GetAccessors(nonPublic: true)[0].IsStatic ? "static " : "")}{(isRequired ? "required " : "")}{Name(property.PropertyType, new NullabilityInfoContext().Create(property))} {property.Name} {{ {Accessors(property)}}}";
                    break;
                case MethodInfo method when IsVisible(method) && !(method.IsSpecialName && !method.Name.StartsWith("op_", StringComparison.Ordinal)):
                    yield return $"{(method.IsStatic ? "static " : "")}{Name(method.ReturnType, new NullabilityInfoContext().Create(method.ReturnParameter))} {method.Name}{Generics(method)}({Parameters(method)})";
                    break;
            }
        }
    }

    private static string Accessors(PropertyInfo property)
    {
        var text = property.GetMethod is { } getter && IsVisible(getter) ? "get; " : "";
        if (property.SetMethod is { } setter && IsVisible(setter))
        {
            text += setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init; " : "set; ";
        }

        return text;
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select((parameter, i) =>
        (i == 0 && method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "")
        + Name(parameter.ParameterType, new NullabilityInfoContext().Create(parameter)) + " " + parameter.Name
        + (parameter.HasDefaultValue ? " = " + Literal(parameter.DefaultValue) : "")));

    private static string Generics(MethodInfo method) => method.IsGenericMethodDefinition
        ? "<" + string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name + (argument.GetGenericParameterConstraints() is { Length: > 0 } constraints ? " : " + string.Join(" & ", constraints.Select(constraint => Name(constraint))) : ""))) + ">"
        : "";

    private static string Literal(object? value) => value switch { null => "null", string text => $"\"{text}\"", bool flag => flag ? "true" : "false", _ => Convert.ToString(value, CultureInfo.InvariantCulture)! };

    private static string Kind(Type type) => type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : type.IsAbstract && type.IsSealed ? "static class" : (type.IsSealed ? "sealed " : "") + "class";

    private static string Name(Type type, NullabilityInfo? nullability = null)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Name(underlying) + "?";
        }

        var name = type.IsGenericType
            ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)] + "<" + string.Join(", ", type.GetGenericArguments().Select((argument, i) => Name(argument, nullability is { } known && i < known.GenericTypeArguments.Length ? known.GenericTypeArguments[i] : null))) + ">"
            : type.Name;
        return name + (!type.IsValueType && nullability?.ReadState == NullabilityState.Nullable ? "?" : "");
    }
}
