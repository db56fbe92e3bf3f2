package main

import (
	_ "embed"
	"regexp"
	"strings"
)

// The word lists are from the real files, in which products have the names of people and the texts are lorem ipsum. The few words that
// are not ASCII are added, including the emoji: the real rows examined have none, and a reader must handle them.

var firstNames = strings.Fields(`
Addison Adelbert Adolfo Adriana Aimee Alexandro Alexane Ali Aliyah Alvina Amber Anahi Andres Andrew
Anibal Annamae Anne Aracely Arlo Armani Aron Arvel Avery Avis Baylee Belle Beryl Bonnie Boris Brandi
Brian Bridgette Burley Caesar Cale Camryn Cara Carey Carmel Carolina Carrie Caterina Chauncey Chaz Clair
Claud Clifton Concepcion Cooper Cornelius Cory Cristal Daisha Dameon Danny Deangelo Deanna Dee Dennis
Deonte Destinee Destiny Devonte Don Donato Dorian Drake Duane Earnest Ebba Elaina Eldon Eldora Eleanora
Eleazar Elijah Elody Eloisa Elroy Else Elta Elva Emie Emmitt Eric Erica Erika Ernestine Esperanza
Estrella Ethelyn Eveline Fabian Florencio Flossie Franco Franz Freddy Frederic Fredy Gaston Geoffrey
Geovanny Geraldine Gia Gilda Giovani Gordon Greyson Gust Gustave Hailee Harley Harmon Haskell Hassan
Heber Jadon Jaeden Jaida Jaiden Jaime Jakob Jalen Jamarcus Jamie Jamison Jane Jarod Jayda Jaylin Jeanne
Jennie Jerome Jerrod Jillian Joanne Joesph Johnpaul Johnson Jonathon Judd Kade Kaleb Kamille Karen Karl
Kasandra Katherine Kathryn Kay Kellen Kenton Khalid King Kristofer Krystina Lane Lavonne Leila Lenora
Lesly Lessie Letha Lindsey Logan Lottie Lucile Lucy Maddison Magnolia Makenna Marcelino Marcellus Marcus
Margret Marilou Marjolaine Marlen Mathew Mathias Matilda Mavis Maximillia Maximus Mckenna Mckenzie
Mercedes Mervin Michelle Milan Misael Mittie Mohammad Mose Moshe Muriel Naomie Nathan Newton Nicolette
Noble Norval Ofelia Patsy Paula Pietro Priscilla Raegan Rahsaan Reagan Reed Reginald Richard Roselyn
Russell Ruth Ruthe Ryan Sabryna Shakira Shanelle Sibyl Sienna Sigurd Sonny Sonya Stacey Stella Stewart
Sydnie Tabitha Thad Thalia Trevion Trevor Triston Trycia Tyler Tyrel Vada Vanessa Verda Verdie Vern
Vesta Vickie Vilma Weston Wilber Wiley Willie Willy Xzavier Zachary
Chloé Zoë José Renée Søren Łucja`)

// latinWords contains frequent words several times, so that the texts have their real length.
var latinWords = strings.Fields(`
a ab accusamus accusantium ad adipisci alias aliquam aliquid amet animi aperiam architecto asperiores
aspernatur assumenda at atque aut autem beatae blanditiis commodi consectetur consequatur consequuntur
corporis corrupti culpa cum cumque cupiditate debitis delectus deleniti deserunt dicta dignissimos
distinctio dolor dolore dolorem doloremque dolores doloribus dolorum ducimus ea eaque earum eius
eligendi enim eos error esse est et eum eveniet ex excepturi exercitationem expedita explicabo facere
facilis fuga fugiat fugit harum hic id illo illum impedit in incidunt inventore ipsa ipsam ipsum iste
itaque iure iusto labore laboriosam laborum laudantium libero magnam magni maiores maxime minima minus
modi molestiae molestias mollitia nam natus necessitatibus nemo neque nesciunt nihil nisi nobis non
nostrum nulla numquam occaecati odio odit officia officiis omnis optio pariatur perferendis perspiciatis
placeat porro possimus praesentium provident quae quaerat quam quas quasi qui quia quibusdam quidem quis
quisquam quo quod quos ratione recusandae reiciendis rem repellat repellendus reprehenderit repudiandae
rerum saepe sapiente sed sequi similique sint sit soluta sunt suscipit tempora tempore temporibus
tenetur totam ullam unde ut vel velit veniam veritatis vero vitae voluptas voluptate voluptatem
voluptates voluptatibus voluptatum 
aut aut aut aut autem consequatur consequatur dolor dolorem dolores ea enim eos est est est et et et et
et et et et in molestiae nihil non non omnis qui qui qui quia quia quis quo rerum rerum sed sit sunt ut
ut ut velit voluptas voluptatem voluptatem`)

var foreignWords = strings.Fields("café façade crêpe naïveté œuvre señor 靴 👟")

var colors = []string{
	"Azure", "Black", "Blue", "Cyan", "Fuchsia", "Gold", "Green", "Grey", "Indigo", "Ivory", "Lavender", "Lime",
	"Magenta", "Maroon", "Mint green", "Olive", "Orange", "Orchid", "Pink", "Plum", "Purple", "Red", "Salmon",
	"Silver", "Sky blue", "Tan", "Teal", "Turquoise", "Violet", "White", "Yellow", "Crème",
}

var (
	clothSizes = []string{"XS", "S", "M", "L", "XL", "XXL"}
	shoeSizes  = []string{"7", "7.5", "8", "8.5", "9", "9.5", "10", "10.5", "11", "11.5", "12"}
	oneSize    = []string{"One Size"}
)

// category is a kind of product, with the sizes of its styles.
type category struct {
	name  string
	sizes []string
}

// categories are equally likely. This gives the real files' mean of 133/23 = 5.783 SKUs per style.
var categories = []category{
	{"Pants", clothSizes},
	{"Sweatpants", clothSizes},
	{"Suit", clothSizes},
	{"Tank Top", clothSizes},
	{"Shirt", clothSizes},
	{"Skirt", clothSizes},
	{"Shorts", clothSizes},
	{"Coat", clothSizes},
	{"Trousers", clothSizes},
	{"Dress", clothSizes},
	{"Socks", clothSizes},
	{"Sweater", clothSizes},
	{"Romper", clothSizes},
	{"Jacket", clothSizes},
	{"Hoodie", clothSizes},
	{"Slacks", clothSizes},
	{"Shoes", shoeSizes},
	{"Boots", shoeSizes},
	{"Heels", shoeSizes},
	{"Sunglasses", oneSize},
	{"Hat", oneSize},
	{"Cap", oneSize},
	{"Backpack", oneSize},
}

// feature is one feature and its value as the file contains them, with quotes.
type feature struct {
	quotedName  string
	quotedValue string // the bare word null for a feature that needs no value
	weight      int
}

// features has the frequencies counted in the first 350 rows of the real file, including the misspelling. The last two are added, for a
// doubled quote and an accent.
var features = []feature{
	{`"Non-GMO"`, `null`, 42},
	{`"Lifetime Guarantee"`, `null`, 26},
	{`"Green Leaf Certified"`, `null`, 25},
	{`"5 Year Warranty"`, `null`, 20},
	{`"Satisfaction Guaranteed"`, `null`, 18},
	{`"Fair Trade Certified"`, `null`, 15},
	{`"Sustainably Sourced"`, `null`, 13},
	{`"UV Protection"`, `null`, 1},
	{`"Cut"`, `"Skinny"`, 15},
	{`"Cut"`, `"Loose"`, 13},
	{`"Cut"`, `"Straight"`, 7},
	{`"Cut"`, `"Striaght"`, 5},
	{`"Stitching"`, `"Double Stitch"`, 12},
	{`"Stitching"`, `"Cross Stitch"`, 11},
	{`"Frame"`, `"AllLight Composition Resin"`, 12},
	{`"Frame"`, `"DuraResin"`, 9},
	{`"Lens"`, `"100% UV Protective"`, 10},
	{`"Lens"`, `"Ultrasheen Gold"`, 6},
	{`"Lens"`, `"Ultrasheen Basic"`, 5},
	{`"Lens"`, `"Ultrasheen Silver"`, 4},
	{`"Sole"`, `"Rubber"`, 6},
	{`"Material"`, `"FullControlSkin"`, 6},
	{`"Material"`, `"FullSupport Hybrid Compound"`, 5},
	{`"Material"`, `"Rubber Mesh"`, 4},
	{`"Material"`, `"FullControl Skin"`, 4},
	{`"Material"`, `"Control Support Bridge"`, 4},
	{`"Material"`, `"Armor Weave"`, 2},
	{`"Mid-Sole"`, `"ControlSupport Arch Bridge"`, 3},
	{`"Fabric"`, `"95% Cotton, 5% Elastic"`, 5},
	{`"Fabric"`, `"Cashmere"`, 4},
	{`"Fabric"`, `"100% Cotton"`, 4},
	{`"Fabric"`, `"Wool"`, 3},
	{`"Fabric"`, `"Velvet"`, 3},
	{`"Fabric"`, `"Canvas"`, 2},
	{`"Fabric"`, `"Silk"`, 1},
	{`"Fabric"`, `"Cool Fit"`, 1},
	{`"Fabric"`, `"80% Cotton, 20% Polyester"`, 1},
	{`"Buttons"`, `"White Resin"`, 5},
	{`"Buttons"`, `"Ivory"`, 5},
	{`"Buttons"`, `"Brass"`, 5},
	{`"Buttons"`, `"Blue Resin"`, 3},
	{`"Buttons"`, `"Black Resin"`, 2},
	{`"Inseam"`, `"30"""`, 1},
	{`"Fabric"`, `"Cotton Piqué"`, 1},
}

//go:embed photo_pool.txt
var photoPoolText string

// photo is an image in two sizes.
type photo struct {
	address   string
	thumbnail string
}

// photoPool contains the images of the real file's first 286 photos, which all styles share. The address of a thumbnail differs only in
// the width.
var photoPool = func() []photo {
	width := regexp.MustCompile(`w=\d+`)
	var pool []photo
	for _, address := range strings.Fields(photoPoolText) {
		pool = append(pool, photo{address, width.ReplaceAllString(address, "w=300")})
	}
	return pool
}()
